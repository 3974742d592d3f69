import CALM
import CALMCorpus
import CALMTraining
import Foundation
import Testing
import Torch
import TrainingTestSupport

@Suite("Likelihood and diagnostics of held-out text", .serialized) struct TextLikelihoodTests {
  private let world: TinyWorld

  init() throws {
    Runtime.threads = 1
    world = try TinyWorld()
  }

  private func text(chunkSize: Int = TinyWorld.chunkSize) throws -> PackedSequences {
    let data = try TrainingData(path: world.data)
    return try #require(
      try data.sequences(
        .validation, chunkSize: chunkSize, sequenceChunks: 64 / chunkSize, padding: data.special.padding,
        remainder: .padded))
  }

  /// A model with a head of tokens after some steps of training.
  private func model(_ head: HeadKind, steps: Int = 30) throws -> ContinuousLanguageModel {
    _ = try losses(of: try world.tokenModel("\(head)", world.settings(steps: steps), head: head))
    return try ModelFolder(world.place("\(head)/model")).loadLanguageModel()
  }

  @Test("The tokens of a text have its bytes and characters")
  func lengths() throws {
    let text = "Ann said: “Où est la café?” 🐎\n"
    let ids = world.tokenizer.encode(text)
    let lengths = try TokenLengths(world.tokenizer)
    #expect(ids.reduce(0) { $0 + lengths[$1].bytes } == text.utf8.count)
    #expect(ids.reduce(0) { $0 + lengths[$1].characters } == text.unicodeScalars.count)
    let end = try #require(world.tokenizer.eosToken)
    #expect(lengths[end] == (0, 0) && lengths[.max] == (0, 0))
  }

  @Test("The likelihood of a Transformer is its cross-entropy, and bits per character follow from the text")
  func transformer() throws {
    _ = try losses(of: try world.transformer("transformer", world.settings(steps: 30)))
    let model = try ModelFolder(world.place("transformer/model")).loadAutoregressiveModel()
    let text = try text(chunkSize: 1)
    let lengths = try TokenLengths(world.tokenizer)
    let found = try model.likelihood(of: text, lengths: lengths, seed: 1)
    let wanted = try model.evaluate(on: text, seed: 1)
    #expect(found.tokens == wanted.tokens && found.method == .exact)
    #expect(abs(found.natsPerToken - wanted.crossEntropy) < 1e-4 * wanted.crossEntropy)
    // All tokens but the first of each sequence.
    let predicted = try (0..<text.count).flatMap { index in
      let sequence = try text.sequence(index)
      return zip(sequence.ids, sequence.documents).dropFirst().filter { $0.1 >= 0 }.map(\.0)
    }
    let bytes = predicted.reduce(0) { $0 + lengths[$1].bytes }
    let bits = found.natsPerToken / log(2) * Double(predicted.count)
    #expect(abs(try #require(found.bitsPerByte) * Double(bytes) - bits) < 1e-6 * bits)
    #expect(try #require(found.bitsPerByteStandardError) > 0)
  }

  @Test(
    "Padding is not counted as text: models of chunks and of tokens predict the same tokens up to their first chunk")
  func padding() throws {
    let found = try model(.tokens).likelihood(of: try text(), samples: 1, seed: 1)
    let ends = try text().documentCount
    let data = try TrainingData(path: world.data)
    let tokens = data.set.validation.reduce(0) { $0 + $1.tokenCount } + ends
    let skipped = TinyWorld.chunkSize * (try text().count)
    #expect(found.tokens <= tokens && found.tokens >= tokens - skipped)
  }

  @Test("Several processes compute the likelihood and the diagnostics of one", arguments: [2, 3])
  func processes(count: Int) throws {
    _ = try model(.posterior)
    let (folder, data) = (world.place("posterior/model"), world.data)
    @Sendable func values(_ shard: EvaluationShard) throws -> [Double] {
      let model = try ModelFolder(folder).loadLanguageModel()
      let text = try #require(
        try TrainingData(path: data).sequences(
          .validation, chunkSize: TinyWorld.chunkSize, sequenceChunks: 16, remainder: .padded))
      let likelihood = try model.likelihood(of: text, sequences: 4, samples: 2, seed: 1, shard: shard)
      let diagnostics = try model.diagnostics(on: text, sequences: 4, seed: 1, shard: shard)
      return [likelihood.natsPerToken, try #require(diagnostics.brierGap)]
        + (diagnostics.independentBrier ?? []) + (diagnostics.crossEntropyByTime ?? []).map(\.crossEntropy)
    }
    let alone = try values(.whole)
    #expect(alone.count == 12)
    let shared = try inProcesses(count) { group in
      try values(EvaluationShard(rank: group.rank, count: group.count) { try group.sum($0) })
    }
    for together in shared {
      for (one, other) in zip(alone, together) { #expect(abs(one - other) <= 1e-9 * abs(one), "\(one), \(other)") }
    }
  }

  @Test("Without its network, a tokens head samples independent tokens: BrierLM by samples is that of its prior")
  func independentTokens() throws {
    let model = try model(.tokens, steps: 150)
    for parameter in model.namedParameters() where parameter.name.contains("tokens_head.output.") {
      withoutGradients { parameter.tensor.fill(0) }
    }
    let text = try text()
    let diagnostics = try model.diagnostics(on: text, seed: 1)
    let exact = try #require(diagnostics.independentBrier)
    let sampled = try model.evaluate(on: text, samples: 32, seed: 2).brierLM
    #expect(exact[0] > 0.01)
    // The loss of the head and the cross-entropy of its prior are the same sum.
    let loss = try #require(try model.evaluate(on: text, seed: 1).headLoss)
    #expect(abs(try #require(diagnostics.independentCrossEntropy) - loss) < 1e-4 * loss)
    for order in 0..<4 {
      // The standard errors contain the differences between documents, which both scores share.
      let error = try #require(sampled.brierStandardError)[order]
      #expect(abs(exact[order] - sampled.brier[order]) <= 3 * error + 1e-4, "\(exact[order]), \(sampled.brier[order])")
    }
  }

  @Test("A model that ignores its context has no conditional gap, a trained one has")
  func conditionalGap() throws {
    let model = try model(.tokens, steps: 150)
    let text = try text()
    let trained = try #require(try model.diagnostics(on: text, samples: 32, seed: 1).brierGap)
    for parameter in model.namedParameters() where parameter.name.contains("tokens_head.output.") {
      withoutGradients { parameter.tensor.fill(0) }
    }
    for parameter in model.namedParameters() where parameter.name.hasSuffix("tokens_head.prior.weight") {
      withoutGradients { parameter.tensor.fill(0) }
    }
    let blind = try #require(try model.diagnostics(on: text, samples: 32, seed: 1).brierGap)
    #expect(trained > 0.02 && abs(blind) < 0.25 * trained, "\(blind), \(trained)")
  }

  @Test("With independent tokens, the cross-entropy of the posterior falls with time from that of the prior")
  func crossEntropyByTime() throws {
    let model = try model(.posterior)
    for parameter in model.namedParameters() where parameter.name.contains("posterior_head.coupling.final_layer") {
      withoutGradients { parameter.tensor.fill(0) }
    }
    let found = try #require(try model.diagnostics(on: try text(), seed: 1).crossEntropyByTime).map(\.crossEntropy)
    for (earlier, later) in zip(found, found.dropFirst()) { #expect(later < earlier, "\(found)") }
    #expect(try #require(found.last) < 0.5 * found[0])
  }

  @Test(
    "Latents of a decoder without preference are decoded with the confidence 1/V, and those of a trained one with more")
  func decoderConfidence() throws {
    let autoencoder = try world.autoencoder("autoencoder", world.settings(steps: 30))
    _ = try losses(of: autoencoder)
    _ = try losses(
      of: try world.languageModel("lm", on: autoencoder.folder.modelURL, world.settings(steps: 3)))
    let model = try ModelFolder(world.place("lm/model")).loadLanguageModel()
    let chance = 1 / Double(model.configuration.vocabularySize)
    let trained = try model.diagnostics(on: try text(), sequences: 2, seed: 1)
    #expect(try #require(trained.decoderConfidence) > 2 * chance)
    #expect(trained.energyGap != nil && trained.crossEntropyByTime == nil)
    for parameter in try #require(model.autoencoder).namedParameters() where parameter.name.contains("embed") {
      withoutGradients { parameter.tensor.fill(0) }
    }
    let blind = try model.diagnostics(on: try text(), sequences: 2, seed: 1)
    #expect(abs(try #require(blind.decoderConfidence) - chance) < 1e-6)
  }

  @Test("A student agrees with its teacher more often than with a teacher that knows nothing")
  func teacherAgreement() throws {
    let teacher = try model(.posterior, steps: 100)
    _ = try losses(of: try world.student("student", of: world.place("posterior/model"), world.settings(steps: 30)))
    let student = try ModelFolder(world.place("student/model")).loadLanguageModel()
    #expect(student.canAgree(with: teacher))
    #expect(try !model(.tokens, steps: 1).canAgree(with: teacher))
    let text = try text()
    func agreement(_ teacher: ContinuousLanguageModel) throws -> Double {
      try #require(try student.diagnostics(on: text, sequences: 3, teacher: teacher, seed: 1).teacherAgreement)
    }
    #expect(try agreement(student) == 1)
    let untrained = ContinuousLanguageModel(teacher.configuration, autoencoder: nil, generator: Generator(seed: 3))
    #expect(try agreement(teacher) > 2 * agreement(untrained))
  }
}
