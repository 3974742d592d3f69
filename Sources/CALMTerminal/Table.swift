/// Rows of text in aligned columns.
package struct Table {
  /// The alignment of a column.
  package enum Alignment: Sendable { case left, right }

  private let alignments: [Alignment]
  private var rows: [[String]]

  /// A table; columns beyond the given alignments are right-aligned.
  package init(header: [String]? = nil, alignments: [Alignment] = [.left]) {
    self.alignments = alignments
    rows = header.map { [$0] } ?? []
  }

  /// Adds a row. An empty row is an empty line.
  package mutating func append(_ cells: [String]) {
    rows.append(cells)
  }

  /// One line per row. Each column is as wide as its widest cell; two spaces separate columns.
  package var text: String {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        let alignment = column < alignments.count ? alignments[column] : .right
        line += (column == 0 ? "" : "  ") + (alignment == .left ? cell + padding : padding + cell)
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
