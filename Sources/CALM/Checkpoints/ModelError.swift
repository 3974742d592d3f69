import CALMSupport
import Foundation

/// An error of a model folder.
public enum ModelError: DescribedError, Equatable {
  /// The folder does not exist or has no `config.json`.
  case notAModel(String)
  /// `config.json` cannot be read.
  case configuration(String, String)
  /// The folder contains a different kind of model.
  case wrongKind(String, found: ModelFolder.Kind, expected: ModelFolder.Kind)
  /// The folder has no tokenizer.
  case noTokenizer(String)
  /// The tokenizer has more ids than the model's vocabulary.
  case tokenizerMismatch(String, tokenizer: Int, model: Int)
  /// The language model's autoencoder is missing.
  case noAutoencoder(String)
  /// A language model whose head samples tokens and has no autoencoder: the path, and the kind of the head.
  case samplesTokens(String, HeadKind)
  /// The official code has no such model.
  case notOfficial(String, String)
  /// The folder of an autoregressive model needs no conversion for Hugging Face's transformers.
  case nothingToConvert(String)
  /// The target folder exists.
  case targetExists(String)
  /// The language model and the autoencoder have different sizes.
  case sizesDiffer(String, name: String, model: Int, autoencoder: Int)

  /// One line: what is wrong and, if there is a remedy, what to do.
  public var description: String {
    switch self {
    case .notAModel(let path):
      "\(path): not a model folder: config.json is missing or unreadable; use the folder of a trained model"
    case .configuration(let path, let reason):
      "\(path): \(reason)"
    case .wrongKind(let path, let found, let expected):
      "\(path): holds \(found.article), but \(expected.article) is required"
    case .noTokenizer(let path):
      "\(path): contains neither tokenizer.json nor tokenizer.model; add the model's tokenizer"
    case .tokenizerMismatch(let path, let tokenizer, let model):
      "\(path): the tokenizer has \(tokenizer) ids, but the model's vocabulary has \(model); use the model's own tokenizer"
    case .samplesTokens(let path, let head):
      "\(path): the head of this model, '\(head.rawValue)', samples tokens and has no autoencoder; leave it out"
    case .noAutoencoder(let path):
      "\(path): the autoencoder is missing from autoencoder/, ae_path and the weights; name its folder"
    case .notOfficial(let path, let what):
      "\(path): holds \(what), which the official code does not support"
    case .nothingToConvert(let path):
      "\(path): nothing to convert: Hugging Face's LlamaForCausalLM reads an autoregressive Transformer directly"
    case .targetExists(let path):
      "\(path): already exists and is not overwritten; choose another folder"
    case .sizesDiffer(let path, let name, let model, let autoencoder):
      "\(path): the language model has \(name) \(model), its autoencoder \(autoencoder); use the model's own autoencoder"
    }
  }
}
