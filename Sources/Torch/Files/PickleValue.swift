/// A value in the pickle of a checkpoint: a dictionary of tensors, or part of their description.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  case string(String)
  /// `depth` is the nesting depth, which the reader limits.
  case tuple([PickleValue], depth: Int)
  case dictionary(PickleDictionary)
  case storageType(DType)
  case function(PickleFunction)
  case storage(PickleStorage)
  case tensor(PickleTensor)
  /// A value that the reader does not interpret, by kind.
  case opaque(String)

  /// The kind of value, for error messages.
  var kind: String {
    switch self {
    case .none: "None"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .string: "a string"
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

/// A dictionary. It is a class because a pickle fills it after other values already refer to it.
final class PickleDictionary {
  /// In insertion order. Nested containers are dropped: see ``PickleReader``.
  var items: [(key: PickleValue, value: PickleValue)] = []
}

/// A function that a pickle may call.
enum PickleFunction {
  case orderedDictionary, rebuildTensor, rebuildParameter
}

/// The bytes of one or more tensors: the entry `data/key` of the archive.
struct PickleStorage: Equatable {
  let key: String
  let dtype: DType
  /// The number of elements.
  let count: Int
}

/// A tensor: a view of a storage.
struct PickleTensor: Equatable {
  let storage: PickleStorage
  /// The offset in elements, like `strides`.
  let offset: Int
  let shape: [Int]
  let strides: [Int]
}
