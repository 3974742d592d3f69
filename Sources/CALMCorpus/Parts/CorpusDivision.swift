import CALMSupport

/// The assignment of a corpus's documents to parts.
///
/// The files in reading order form one range of bytes as stored, which is divided into N equal ranges, one for each
/// part. A document has a pseudo-random position in the range of its file, which depends on the number of the file and
/// of the document alone, and belongs to the part whose range contains it. A file within one range therefore belongs to
/// one part as a whole, and the documents of a file that spans several ranges are distributed in proportion. A part
/// reads no other files.
struct CorpusDivision {
  /// The number of parts.
  let count: Int
  private let sizes: [Int]
  /// The start of each file in the range of all bytes.
  private let starts: [Int]
  private let total: Int

  /// - Parameters:
  ///   - sizes: The size of each file in bytes, above 0.
  ///   - count: The number of parts.
  init(sizes: [Int], count: Int) {
    (self.sizes, self.count) = (sizes, count)
    var starts: [Int] = []
    var end = 0
    for size in sizes {
      starts.append(end)
      end += size
    }
    (self.starts, total) = (starts, end)
  }

  /// The numbers (from 1) of the parts that read a file.
  func readers(ofFile file: Int) -> ClosedRange<Int> {
    part(at: starts[file])...part(at: starts[file] + sizes[file] - 1)
  }

  /// The number (from 1) of the part to which a document of a file belongs.
  ///
  /// - Parameter document: The number of the document (from 0) in the file.
  func owner(ofFile file: Int, document: Int) -> Int {
    // The first number keeps this hash independent of the one that chooses the validation documents.
    let hash = StableHash.combine(Self.purpose, UInt64(file), UInt64(document))
    return part(at: starts[file] + Int(hash.multipliedFullWidth(by: UInt64(sizes[file])).high))
  }

  private static let purpose: UInt64 = 0x7061_7274

  /// The number of the part whose range contains a position: ⌊position · N / total⌋ + 1.
  private func part(at position: Int) -> Int {
    let product = UInt64(position).multipliedFullWidth(by: UInt64(count))
    return Int(UInt64(total).dividingFullWidth(product).quotient) + 1
  }
}
