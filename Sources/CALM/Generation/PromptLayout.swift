/// A prompt split into whole chunks and the remaining tokens.
struct PromptLayout: Equatable {
  /// The ids of whole chunks, at least one.
  let chunks: [Int32]
  /// The remaining ids, fewer than K, with which the next chunk must begin.
  let rest: [Int32]

  /// Arranges a prompt in the way training text is packed.
  ///
  /// Training documents end with an end token and padding, so a chunk of these precedes the start of a document. It
  /// also precedes a prompt that is shorter than a chunk.
  ///
  /// - Throws: ``GenerationError/idOutsideVocabulary(id:position:vocabularySize:)``,
  ///   ``GenerationError/promptTooShort(tokens:chunkSize:)``.
  init(
    _ prompt: [Int32], continuesText: Bool, chunkSize k: Int, vocabularySize: Int, special: SpecialTokens,
    hasDocumentEnds: Bool
  ) throws(GenerationError) {
    for (position, id) in prompt.enumerated() where id < 0 || Int(id) >= vocabularySize {
      throw .idOutsideVocabulary(id: Int(id), position: position, vocabularySize: vocabularySize)
    }
    let end = special.end.map(Int32.init)
    let padding = special.padding.map(Int32.init) ?? end
    var ids = prompt
    if let end, let padding {
      let startsDocument = hasDocumentEnds && !continuesText
      if startsDocument || prompt.count < k {
        ids = [end] + Array(repeating: padding, count: k - 1) + prompt
      }
      // A prompt that ends a document is padded like a training document; a new document follows.
      if let last = ids.last, special.ends.contains(Int(last)) {
        ids += Array(repeating: padding, count: (k - ids.count % k) % k)
      }
    }
    guard ids.count >= k else { throw .promptTooShort(tokens: prompt.count, chunkSize: k) }
    let whole = ids.count / k * k
    chunks = Array(ids[..<whole])
    rest = Array(ids[whole...])
  }
}
