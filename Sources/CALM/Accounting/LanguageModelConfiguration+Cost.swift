extension LanguageModelConfiguration {
  /// The cost of a ``ContinuousLanguageModel`` with this configuration, including its frozen autoencoder.
  ///
  /// - Parameter autoencoder: nil for a head that samples tokens.
  public func cost(autoencoder: AutoencoderConfiguration?) -> ModelCost {
    let (h, k) = (transformer.hiddenSize, chunkSize)
    var builder = CostBuilder(tokensPerPosition: k)
    builder.add("token embedding", parameters: vocabularySize * h, macs: 0)
    if input.hasTokens {
      builder.add(
        "input compression", parameters: (k * h * 2 * h + 2 * h) + (2 * h * h + h) + 2 * h,
        macs: k * h * 2 * h + 2 * h * h)
    }
    if input.hasLatents {
      builder.add("input projection", parameters: latentSize * h + h + 2 * h, macs: latentSize * h)
    }
    builder.add("Transformer layers", parameters: transformer.parameters, macs: transformer.weights)
    builder.add("attention products", parameters: 0, macs: transformer.attentionMACs)
    let headCost = head.type.cost(of: self)
    builder.add(
      "\(head) head", parameters: headCost.parameters, inferenceMACs: headCost.inferenceMACs,
      trainingMACs: 3 * headCost.trainingMACs)
    if auxiliaryLossWeight > 0 {
      // A head that samples tokens contains the projection.
      let projection = head.usesAutoencoder ? h * k * h : 0
      builder.add(
        "auxiliary token loss", parameters: projection > 0 ? projection + k * h : 0,
        macs: projection + k * h * vocabularySize, inference: 0)
    }
    if let autoencoder {
      builder.add(
        "frozen autoencoder: encoder", parameters: autoencoder.embeddingParameters + autoencoder.encoderParameters,
        macs: autoencoder.encoderMACs, inference: 0, training: input.hasLatents ? 2 : 1, isTrained: false)
      builder.add(
        "frozen autoencoder: decoder", parameters: autoencoder.decoderParameters,
        macs: autoencoder.decoderMACs + autoencoder.vocabularyMACs, training: 0, isTrained: false)
    }
    return ModelCost(parts: builder.parts)
  }

  /// Training FLOPs per token during the auxiliary warm-up, which runs neither the head nor the encoder of the targets.
  public func auxiliaryWarmupPerToken(autoencoder: AutoencoderConfiguration?) -> Double {
    let omitted = 3 * head.type.cost(of: self).trainingMACs + (autoencoder?.encoderMACs ?? 0)
    return cost(autoencoder: autoencoder).trainingPerToken - 2 * Double(omitted) / Double(chunkSize)
  }

  /// Training FLOPs per token of the distillation into this one-step model: the Transformer's forward pass, the paths of
  /// the teacher's head, and the training of the student's head.
  ///
  /// - Parameters:
  ///   - paths: paths of the teacher per position.
  ///   - teacherSteps: the steps of the teacher's solver; nil for those of this configuration.
  public func distillationPerToken(paths: Int, teacherSteps: Int?) -> Double {
    var (student, teacher) = (self, self)
    (student.pathSamples, student.samples) = (paths, paths)
    teacher.isOneStep = false
    teacher.solverSteps = teacherSteps ?? solverSteps
    let forward = cost(autoencoder: nil).parts.reduce(0) { $0 + ($1.name.hasSuffix("head") ? 0 : $1.inference) }
    let macs = paths * head.type.cost(of: teacher).inferenceMACs + 3 * head.type.cost(of: student).trainingMACs
    return forward + 2 * Double(macs) / Double(chunkSize)
  }
}
