import CALMSupport

/// The sizes of a part's documents in bytes of UTF-8: a file of little-endian UInt64, in the order of the documents.
struct DocumentSizes {
  private static let fileName = "documents.sizes"
  private let file: MappedFile

  /// Opens the file of a part.
  ///
  /// - Throws: ``TokenShardError`` if the file cannot be read; ``DataPartError/damaged(path:reason:)`` if its content is
  ///   not what the manifest says.
  init(of manifest: DataPartManifest, in folder: String) throws {
    let path = folder.appendingName(Self.fileName)
    file = try MappedFile(path: path)
    guard file.bytes.count == manifest.content.documents * 8 else {
      throw DataPartError.damaged(path: path, reason: "\(file.bytes.count) bytes")
    }
    guard CRC32.checksum(of: file.bytes) == manifest.sizesChecksum else {
      throw DataPartError.damaged(path: path, reason: "wrong checksum")
    }
  }

  /// The size of a document.
  subscript(document: Int) -> Int {
    Int(truncatingIfNeeded: file.bytes.integer(at: document * 8, as: UInt64.self))
  }

  /// Writes the file, 64 KiB at a time.
  final class Writer {
    private let file: AtomicFile
    private var pending: [UInt8] = []
    private var checksum = CRC32.checksum(of: UnsafeRawBufferPointer(start: nil, count: 0))

    init(in folder: String) throws {
      file = try AtomicFile(replacing: folder.appendingName(DocumentSizes.fileName))
    }

    func append(_ size: Int) throws {
      pending.append(littleEndian: UInt64(size))
      if pending.count >= 1 << 16 { try flush() }
    }

    /// Completes the file. Returns its checksum.
    func finish() throws -> UInt32 {
      try flush()
      try file.commit()
      return checksum
    }

    private func flush() throws {
      try pending.withUnsafeBytes {
        checksum = CRC32.checksum(of: $0, after: checksum)
        try file.write($0)
      }
      pending.removeAll(keepingCapacity: true)
    }
  }
}
