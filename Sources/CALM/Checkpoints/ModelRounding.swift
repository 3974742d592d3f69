import CALMSupport
import Foundation
import Torch

extension ModelFolder {
  /// Writes the model into a new folder with its weights rounded to bfloat16, which takes half the space.
  ///
  /// The layer of the auxiliary token loss, which only training uses, is left out.
  ///
  /// - Parameters:
  ///   - target: the new folder, which must be absent or empty. It appears complete or not at all.
  ///   - autoencoder: the autoencoder's folder, if it is not the one that the model's folder names.
  /// - Throws: ``ModelError``, or a file error.
  public func round(to target: URL, autoencoder: URL? = nil) throws {
    guard AtomicFolder.isFree(target.path) else { throw ModelError.targetExists(target.path) }
    let folder = try AtomicFolder(at: target.path)
    let place = URL(fileURLWithPath: folder.temporaryPath)
    switch kind {
    case .autoencoder:
      let model = try loadAutoencoder(as: .bfloat16)
      try model.save(to: place, weights: Self.weights(of: model), tokenizer: nil)
    case .languageModel:
      let model = try loadLanguageModel(autoencoder: autoencoder, as: .bfloat16)
      try model.save(
        to: place, weights: Self.weights(of: model), autoencoderWeights: model.autoencoder.map(Self.weights),
        tokenizer: nil, auxiliary: false)
    case .autoregressive:
      let model = try loadAutoregressiveModel(as: .bfloat16)
      try model.save(to: place, weights: Self.weights(of: model), tokenizer: nil)
    }
    try copyCompanions(to: place)
    try folder.commit()
  }

  private static func weights(of model: some Module) -> [String: Tensor] {
    Dictionary(uniqueKeysWithValues: model.namedParameters().map { ($0.name, $0.tensor.detached()) })
  }
}
