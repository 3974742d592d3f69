import CALMSupport
import Foundation

/// A model folder that cannot be used: what is wrong with which file, and what to do.
public enum ModelError: DescribedError, Equatable {
  /// There is no such folder, or it holds no `config.json`.
  case notAModel(String)
  /// `config.json` cannot be read.
  case configuration(String, String)
  /// The folder holds another kind of model than is asked for.
  case wrongKind(String, found: ModelFolder.Kind, expected: ModelFolder.Kind)
  /// The folder has no tokenizer.
  case noTokenizer(String)
  /// The tokenizer has more ids than the model's vocabulary.
  case tokenizerMismatch(String, tokenizer: Int, model: Int)
  /// The language model's autoencoder is not to be found.
  case noAutoencoder(String)
  /// The official code has no such model.
  case notOfficial(String, String)
  /// Hugging Face's transformers read the folder of an autoregressive model as it is.
  case nothingToConvert(String)
  /// Something stands where a folder is to go.
  case targetExists(String)
  /// Language model and autoencoder do not fit together.
  case sizesDiffer(String, name: String, model: Int, autoencoder: Int)

  /// One line: what is wrong and, where there is a remedy, what to do.
  public var description: String {
    switch self {
    case .notAModel(let path):
      "\(path): not a model folder (no readable config.json there); give a folder that `calm train` or the official code wrote"
    case .configuration(let path, let reason):
      "\(path): \(reason)"
    case .wrongKind(let path, let found, let expected):
      "\(path): holds \(found.article), but \(expected.article) is needed"
    case .noTokenizer(let path):
      "\(path): no tokenizer.json or tokenizer.model there; name one with --tokenizer"
    case .tokenizerMismatch(let path, let tokenizer, let model):
      "\(path): the tokenizer has \(tokenizer) ids, but the model's vocabulary has \(model); use the tokenizer it was trained with"
    case .noAutoencoder(let path):
      "\(path): the autoencoder is neither in autoencoder/, nor at ae_path, nor among the weights; name it with --autoencoder"
    case .notOfficial(let path, let what):
      "\(path): holds \(what), which the official code does not have; it can be used with this program only"
    case .nothingToConvert(let path):
      "\(path): holds an autoregressive Transformer, which Hugging Face's LlamaForCausalLM reads as it is; nothing to convert"
    case .targetExists(let path):
      "\(path): is there already and is not replaced; choose another folder with --out"
    case .sizesDiffer(let path, let name, let model, let autoencoder):
      "\(path): the language model has \(name) \(model), its autoencoder \(autoencoder); use the autoencoder it was trained with"
    }
  }
}
