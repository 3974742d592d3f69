/// The candidates closest to a misspelled or shortened `name`, the nearest first; at most three, none if all are far.
package func nearestNames(to name: String, among candidates: [String]) -> [String] {
  let distances = candidates.map { candidate in
    // The beginning of a name is as close as one wrong letter.
    let isStart = name.count > 3 && candidate.hasPrefix(name)
    return (name: candidate, distance: isStart ? 1 : editDistance(Array(name.lowercased()), Array(candidate)))
  }
  let limit = max(2, name.count / 3)
  return distances.filter { $0.distance <= limit }.sorted { $0.distance < $1.distance }.prefix(3).map(\.name)
}

/// The fewest insertions, deletions and replacements that turn one word into the other (Levenshtein).
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  var row = Array(0...b.count)
  for (i, left) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, right) in b.enumerated() {
      let replaced = diagonal + (left == right ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[b.count]
}
