/// One pass of encoding over a text that may come in parts.
///
/// The text is cut at added tokens, the segments between them into pieces, and the pieces are merged into tokens. Where
/// more text is to come, only what it cannot change is encoded; the caller keeps the rest and hands it in again with
/// what follows.
struct EncodingPass {
  private let tokenizer: Tokenizer
  private let matchers: [AddedTokenMatcher]
  /// Whether no text was encoded since the beginning or the last added token.
  private var isAtSegmentStart = true

  init(_ tokenizer: Tokenizer, allowSpecial: Bool) {
    self.tokenizer = tokenizer
    matchers = allowSpecial ? tokenizer.allMatchers : tokenizer.ordinaryMatchers
  }

  /// Appends the tokens of `text` to `ids`.
  ///
  /// - Parameter isFinal: whether nothing follows.
  /// - Returns: how many bytes are encoded; all of them if `isFinal`.
  mutating func encode(_ text: UnsafeBufferPointer<UInt8>, isFinal: Bool, into ids: inout [Int32]) -> Int {
    tokenizer.workspaces.withWorkspace { workspace in
      encode(text, 0..<text.count, matchers[...], isFinal, workspace, into: &ids)
    }
  }

  /// Makes ready for another text.
  mutating func restart() { isAtSegmentStart = true }

  /// Encodes the part `range` of `text`, in which the first of `matchers` is looked for, then the others in between.
  /// Returns the end of what is encoded.
  private mutating func encode(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ matchers: ArraySlice<AddedTokenMatcher>,
    _ isFinal: Bool, _ workspace: EncodingWorkspace, into ids: inout [Int32]
  ) -> Int {
    guard let matcher = matchers.first else { return encodeSegment(text, range, isFinal, workspace, into: &ids) }
    // A match that begins from here on could be a longer one if more text were known.
    let certain = isFinal ? range.upperBound : max(range.lowerBound, range.upperBound - matcher.longest + 1)
    var start = range.lowerBound
    while let match = matcher.firstMatch(in: text, range: start..<range.upperBound), match.start < certain {
      _ = encode(text, start..<match.start, matchers.dropFirst(), true, workspace, into: &ids)
      ids.append(match.id)
      isAtSegmentStart = true
      start = match.end
    }
    // A match may end beyond `certain`.
    let end = max(start, certain)
    return encode(text, start..<end, matchers.dropFirst(), isFinal, workspace, into: &ids)
  }

  private mutating func encodeSegment(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ isFinal: Bool, _ workspace: EncodingWorkspace,
    into ids: inout [Int32]
  ) -> Int {
    guard let base = text.baseAddress, let first = text[range].first else { return range.upperBound }
    let needsPrefixSpace = tokenizer.addsPrefixSpace && isAtSegmentStart && first != UInt8(ascii: " ")
    guard needsPrefixSpace else {
      let segment = ClassifiedText(base, end: range.upperBound)
      let end = encodePieces(of: segment, in: text, from: range.lowerBound, isFinal, workspace, into: &ids)
      if end > range.lowerBound { isAtSegmentStart = false }
      return end
    }
    let spaced = [UInt8(ascii: " ")] + text[range]
    let end = spaced.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return 0 }
      let segment = ClassifiedText(base, end: buffer.count)
      return encodePieces(of: segment, in: buffer, from: 0, isFinal, workspace, into: &ids)
    }
    if end > 0 { isAtSegmentStart = false }
    return range.lowerBound + max(0, end - 1)
  }

  private func encodePieces(
    of segment: ClassifiedText, in text: UnsafeBufferPointer<UInt8>, from start: Int, _ isFinal: Bool,
    _ workspace: EncodingWorkspace, into ids: inout [Int32]
  ) -> Int {
    let limit = isFinal ? segment.end : segment.lastCertainBoundary(from: start) ?? start
    return switch tokenizer.splitPattern {
    case .gpt2: encodePieces(GPT2Splitter.self, of: segment, in: text, start, limit, workspace, into: &ids)
    case .llama3: encodePieces(Llama3Splitter.self, of: segment, in: text, start, limit, workspace, into: &ids)
    case .wholeText: encodePieces(WholeTextSplitter.self, of: segment, in: text, start, limit, workspace, into: &ids)
    }
  }

  /// Encodes piece after piece from `start` on, as long as they end no later than `limit`. Returns where the last ends.
  @inline(__always)
  private func encodePieces<Pattern: Splitter>(
    _: Pattern.Type, of segment: ClassifiedText, in text: UnsafeBufferPointer<UInt8>, _ start: Int, _ limit: Int,
    _ workspace: EncodingWorkspace, into ids: inout [Int32]
  ) -> Int {
    guard let base = text.baseAddress else { return start }
    let cache = workspace.cache
    var position = start
    while position < limit {
      let end = Pattern.endOfPiece(at: position, in: segment)
      if end > limit { break }
      let count = end - position
      if count <= PieceCache.longestPiece {
        let key = PieceCache.Key(base + position, count: count, available: text.count - position)
        if !cache.appendTokens(of: key, to: &ids) {
          let known = ids.count
          merge(UnsafeBufferPointer(rebasing: text[position..<end]), workspace, into: &ids)
          cache.remember(ids[known...], for: key)
        }
      } else {
        merge(UnsafeBufferPointer(rebasing: text[position..<end]), workspace, into: &ids)
      }
      position = end
    }
    return position
  }

  @inline(never)
  private func merge(
    _ piece: UnsafeBufferPointer<UInt8>, _ workspace: EncodingWorkspace, into ids: inout [Int32]
  ) {
    if tokenizer.ignoresMerges, let id = tokenizer.vocabulary.id(of: piece) {
      ids.append(id)
    } else {
      workspace.merger.merge(piece, byteTokens: tokenizer.byteTokens, table: tokenizer.mergeTable, into: &ids)
    }
  }
}
