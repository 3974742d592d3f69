/// Counts the occurrences of each piece. Memory use grows only with the number of distinct pieces.
struct PieceCounter {
  struct Entry {
    /// The start of the piece in `bytes`.
    var offset: Int
    var length: Int
    var count: Int
  }

  /// The concatenated bytes of all distinct pieces.
  private(set) var bytes: ContiguousArray<UInt8> = []
  /// The distinct pieces in the order of their first occurrence.
  private(set) var entries: ContiguousArray<Entry> = []
  /// An open-addressing hash table of indices into `entries`; −1 if empty.
  private var slots = ContiguousArray<Int32>(repeating: -1, count: 1 << 14)

  mutating func add(_ piece: UnsafeBufferPointer<UInt8>) {
    let slot = findSlot(of: piece)
    if slots[slot] >= 0 {
      entries[Int(slots[slot])].count += 1
      return
    }
    slots[slot] = Int32(entries.count)
    entries.append(Entry(offset: bytes.count, length: piece.count, count: 1))
    bytes.append(contentsOf: piece)
    if entries.count * 2 > slots.count { grow() }
  }

  private func findSlot(of piece: UnsafeBufferPointer<UInt8>) -> Int {
    let mask = slots.count - 1
    var slot = Int(truncatingIfNeeded: hash(piece)) & mask
    bytes.withUnsafeBufferPointer { bytes in
      while slots[slot] >= 0 {
        let entry = entries[Int(slots[slot])]
        if entry.length == piece.count, bytes[entry.offset..<entry.offset + entry.length].elementsEqual(piece) { break }
        slot = (slot + 1) & mask
      }
    }
    return slot
  }

  private mutating func grow() {
    slots = ContiguousArray(repeating: -1, count: slots.count * 2)
    for (index, entry) in entries.enumerated() {
      let slot = bytes.withUnsafeBufferPointer {
        findSlot(of: UnsafeBufferPointer(rebasing: $0[entry.offset..<entry.offset + entry.length]))
      }
      slots[slot] = Int32(index)
    }
  }
}
