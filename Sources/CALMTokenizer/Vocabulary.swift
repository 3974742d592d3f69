/// The tokens of a tokenizer: the bytes of every id, and the ids of the encodable tokens by their bytes.
struct Vocabulary: Sendable {
  /// The concatenated bytes of all tokens.
  private(set) var bytes: ContiguousArray<UInt8> = []
  /// The start of each token in `bytes`, followed by the total length.
  private(set) var offsets: ContiguousArray<Int> = [0]
  /// An open-addressing hash table of ids; −1 if empty.
  private var slots: ContiguousArray<Int32> = ContiguousArray(repeating: -1, count: 1024)
  private var indexedCount = 0

  /// The number of tokens.
  var count: Int { offsets.count - 1 }

  mutating func reserveCapacity(_ tokens: Int) {
    offsets.reserveCapacity(tokens + 1)
    bytes.reserveCapacity(tokens * 7)
    var size = slots.count
    while size < tokens * 2 { size *= 2 }
    if size > slots.count { rehash(to: size) }
  }

  /// Appends a token with the next id.
  ///
  /// - Parameter isEncodable: Whether `id(of:)` finds the token; false for special tokens, which text is encoded to
  ///   only on request.
  /// - Returns: False if an encodable token with these bytes already exists, in which case nothing is appended.
  mutating func append(_ token: some Collection<UInt8>, isEncodable: Bool) -> Bool {
    let id = Int32(count)
    if isEncodable {
      if (indexedCount + 1) * 2 > slots.count { rehash(to: slots.count * 2) }
      let start = bytes.count
      bytes.append(contentsOf: token)
      let slot = bytes.withUnsafeBufferPointer { findSlot(of: UnsafeBufferPointer(rebasing: $0[start...])) }
      guard slots[slot] < 0 else {
        bytes.removeSubrange(start...)
        return false
      }
      slots[slot] = id
      indexedCount += 1
    } else {
      bytes.append(contentsOf: token)
    }
    offsets.append(bytes.count)
    return true
  }

  /// The id of the encodable token with exactly these bytes.
  func id(of token: UnsafeBufferPointer<UInt8>) -> Int32? {
    let id = slots[findSlot(of: token)]
    return id < 0 ? nil : id
  }

  /// The tokens of the 256 bytes.
  ///
  /// - Throws: The error that `missing` returns for a byte without a token.
  func byteTokens(missing: (UInt8) -> TokenizerError) throws -> ContiguousArray<Int32> {
    var tokens: ContiguousArray<Int32> = []
    for byte in UInt8.min...UInt8.max {
      guard let id = withUnsafePointer(to: byte, { id(of: UnsafeBufferPointer(start: $0, count: 1)) }) else {
        throw missing(byte)
      }
      tokens.append(id)
    }
    return tokens
  }

  /// The bytes of a token, whose id must be in the vocabulary.
  subscript(id: Int32) -> ArraySlice<UInt8> { bytes[range(of: id)] }

  /// The range of a token's bytes in `bytes`.
  func range(of id: Int32) -> Range<Int> { offsets[Int(id)]..<offsets[Int(id) + 1] }

  /// The slot that contains `token`, or the empty slot where it would be inserted.
  private func findSlot(of token: UnsafeBufferPointer<UInt8>) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash(token)) & mask
    while slots[slot] >= 0 {
      let range = range(of: slots[slot])
      if range.count == token.count, bytes[range].elementsEqual(token) { break }
      slot = (slot + 1) & mask
    }
    return slot
  }

  private mutating func rehash(to size: Int) {
    let ids = slots.filter { $0 >= 0 }
    slots = ContiguousArray(repeating: -1, count: size)
    for id in ids {
      let slot = bytes.withUnsafeBufferPointer { findSlot(of: UnsafeBufferPointer(rebasing: $0[range(of: id)])) }
      slots[slot] = id
    }
  }
}

/// A fast, deterministic hash for the tables of this target. It does not resist adversarial keys.
@inline(__always)
func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
  let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15
  var hash = UInt64(truncatingIfNeeded: bytes.count) &* multiplier
  let raw = UnsafeRawBufferPointer(bytes)
  var index = 0
  while index + 8 <= raw.count {
    hash = (hash ^ raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)) &* multiplier
    hash ^= hash >> 29
    index += 8
  }
  while index < raw.count {
    hash = (hash ^ UInt64(raw[index])) &* multiplier
    index += 1
  }
  return hash ^ hash >> 32
}
