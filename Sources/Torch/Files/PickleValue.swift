/// What the pickle of a checkpoint can build here: tensors in a dictionary, and what describes them.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  case string(String)
  /// `depth` counts the tuples inside each other, so that no file can nest them without bound.
  case tuple([PickleValue], depth: Int)
  case dictionary(PickleDictionary)
  case storageType(DType)
  case function(PickleFunction)
  case storage(PickleStorage)
  case tensor(PickleTensor)
  /// Anything that may stand in a checkpoint but is not looked into, by its kind.
  case opaque(String)

  /// The kind of value, for messages.
  var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .string: "a text"
    case .tuple: "a tuple"
    case .dictionary: "a dictionary"
    case .storageType, .function: "a class"
    case .storage: "a storage"
    case .tensor: "a tensor"
    case .opaque(let kind): kind
    }
  }

  var integer: Int? {
    if case .integer(let value) = self { value } else { nil }
  }

  var string: String? {
    if case .string(let value) = self { value } else { nil }
  }

  var tuple: [PickleValue]? {
    if case .tuple(let elements, _) = self { elements } else { nil }
  }

  var integers: [Int]? {
    guard let tuple else { return nil }
    let values = tuple.compactMap(\.integer)
    return values.count == tuple.count ? values : nil
  }
}

/// A dictionary, which the pickle changes after others refer to it.
final class PickleDictionary {
  /// In the order of insertion. Containers inside are not kept: see ``PickleReader``.
  var items: [(key: PickleValue, value: PickleValue)] = []
}

/// The functions that a pickle may call.
enum PickleFunction {
  case orderedDictionary, rebuildTensor, rebuildParameter
}

/// The bytes that one or more tensors lie in: the entry `data/key` of the archive.
struct PickleStorage: Equatable {
  let key: String
  let dtype: DType
  /// In elements.
  let count: Int
}

/// A tensor: a view of a storage.
struct PickleTensor: Equatable {
  let storage: PickleStorage
  /// In elements, as `strides`.
  let offset: Int
  let shape: [Int]
  let strides: [Int]
}
