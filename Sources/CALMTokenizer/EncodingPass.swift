/// An encoding pass over a text that may arrive in parts.
///
/// The text is split at added tokens, the segments between them are split into pieces, and the pieces are merged into
/// tokens. If more text follows, only the part that it cannot affect is encoded; the caller keeps the rest and passes
/// it again together with the next part.
struct EncodingPass {
  private let tokenizer: Tokenizer
  private let matchers: [AddedTokenMatcher]
  /// Whether no text has been encoded since the start or the last added token.
  private var isAtSegmentStart = true

  init(_ tokenizer: Tokenizer, allowSpecial: Bool) {
    self.tokenizer = tokenizer
    matchers = allowSpecial ? tokenizer.allMatchers : tokenizer.ordinaryMatchers
  }

  /// Appends the tokens of `text` to `ids`.
  ///
  /// - Parameter isFinal: Whether no more text follows.
  /// - Returns: The number of encoded bytes, which is all of them if `isFinal`.
  mutating func encode(_ text: UnsafeBufferPointer<UInt8>, isFinal: Bool, into ids: inout [Int32]) -> Int {
    tokenizer.workspaces.withWorkspace { workspace in
      encode(text, 0..<text.count, matchers[...], isFinal, workspace, into: &ids)
    }
  }

  /// Prepares for another text.
  mutating func restart() { isAtSegmentStart = true }

  /// Encodes `range` of `text`, applying the first of `matchers`, then the others to the text in between. Returns the
  /// end of the encoded part.
  private mutating func encode(
    _ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ matchers: ArraySlice<AddedTokenMatcher>,
    _ isFinal: Bool, _ workspace: EncodingWorkspace, into ids: inout [Int32]
  ) -> Int {
    guard let matcher = matchers.first else { return encodeSegment(text, range, isFinal, workspace, into: &ids) }
    // A match that begins here or later could be longer with more text.
    let certain = isFinal ? range.upperBound : max(range.lowerBound, range.upperBound - matcher.longest + 1)
    var start = range.lowerBound
    while let match = matcher.firstMatch(in: text, range: start..<range.upperBound), match.start < certain {
      _ = encode(text, start..<match.start, matchers.dropFirst(), true, workspace, into: &ids)
      ids.append(match.id)
      isAtSegmentStart = true
      start = match.end
    }
    // A match may end after `certain`.
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

  /// Encodes the pieces from `start` that end at or before `limit`. Returns the end of the last one.
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
