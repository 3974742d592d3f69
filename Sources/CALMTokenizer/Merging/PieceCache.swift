/// A cache of the tokens of short pieces, with a fixed size.
///
/// Text repeats its words: in English prose, the hit rate is 97%. The cache is direct-mapped: each piece has one slot,
/// which the most recent piece occupies.
final class PieceCache {
  /// The length in bytes of the longest cached piece, which fits in a key together with its length.
  static let longestPiece = 15
  private static let mostTokens = 8
  private static let placeCount = 1 << 15

  /// The bytes of a piece and its length in 16 bytes. The length is in the highest byte, so no piece has the key 0.
  struct Key: Equatable {
    var low: UInt64
    var high: UInt64

    /// - Parameter available: The number of readable bytes from `start`, including the piece.
    @inline(__always)
    init(_ start: UnsafePointer<UInt8>, count: Int, available: Int) {
      if available >= 16 {
        let raw = UnsafeRawPointer(start)
        low = UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self))
        high = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      } else {
        low = 0
        high = 0
        for index in 0..<count {
          if index < 8 {
            low |= UInt64(start[index]) << UInt64(8 * index)
          } else {
            high |= UInt64(start[index]) << UInt64(8 * (index - 8))
          }
        }
      }
      if count < 8 {
        low &= (1 &<< UInt64(8 * count)) - 1
        high = 0
      } else {
        high &= (1 &<< UInt64(8 * (count - 8))) - 1
      }
      high |= UInt64(count) << 56
    }

    @inline(__always)
    var place: Int {
      var hash = (low ^ (high &* 0xC2B2_AE3D_27D4_EB4F)) &* 0x9E37_79B9_7F4A_7C15
      hash ^= hash >> 32
      return Int(truncatingIfNeeded: hash) & (PieceCache.placeCount - 1)
    }
  }

  private let keys: UnsafeMutablePointer<Key>
  /// `mostTokens` ids per slot; shorter lists end with −1.
  private let tokens: UnsafeMutablePointer<Int32>

  init() {
    keys = .allocate(capacity: Self.placeCount)
    keys.initialize(repeating: Key.none, count: Self.placeCount)
    tokens = .allocate(capacity: Self.placeCount * Self.mostTokens)
    tokens.initialize(repeating: -1, count: Self.placeCount * Self.mostTokens)
  }

  deinit {
    keys.deallocate()
    tokens.deallocate()
  }

  /// Appends the cached tokens of the piece `key` to `ids`. Returns false if they are not cached.
  @inline(__always)
  func appendTokens(of key: Key, to ids: inout [Int32]) -> Bool {
    let place = key.place
    guard keys[place] == key else { return false }
    let first = tokens + place * Self.mostTokens
    var index = 0
    repeat {
      ids.append(first[index])
      index += 1
    } while index < Self.mostTokens && first[index] >= 0
    return true
  }

  func remember(_ piece: ArraySlice<Int32>, for key: Key) {
    guard (1...Self.mostTokens).contains(piece.count) else { return }
    let place = key.place
    keys[place] = key
    let first = tokens + place * Self.mostTokens
    for (index, id) in piece.enumerated() { first[index] = id }
    if piece.count < Self.mostTokens { first[piece.count] = -1 }
  }
}

extension PieceCache.Key {
  fileprivate static let none = PieceCache.Key(low: 0, high: 0)

  private init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }
}
