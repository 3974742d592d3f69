/// A prompt cut into whole chunks, and the tokens left over.
struct PromptLayout: Equatable {
  /// At least one chunk's ids, a multiple of K.
  let chunks: [Int32]
  /// Fewer than K ids, with which the next chunk must begin.
  let rest: [Int32]

  /// Lays out a prompt as training text is packed.
  ///
  /// Documents end there with an end token and padding, so a chunk of these stands before a document's start. It also
  /// stands in for the first chunk where a prompt has none.
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
      // A document that ends with the prompt is padded like any other, and the next one begins.
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
