import CALMSupport
import Foundation
import Testing

@Suite("Files of settings") struct SettingsFileTests {
  private func read(_ text: String, as name: String = "a.yaml") throws -> JSONValue {
    try read(Data(text.utf8), as: name)
  }

  private func read(_ data: Data, as name: String) throws -> JSONValue {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("calm-settings-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent(name)
    try data.write(to: file)
    return try SettingsFile.read(file)
  }

  @Test("YAML says what JSON says, in the order in which it stands")
  func sameValue() throws {
    let yaml = """
      # a comment
      tales: {bytes: 3000000, vocabulary: 512}
      models:
        - name: "1"
          chunk: [2, 4]
          learning_rate: 1e-3
          plain: true
          nothing:
        - rates: &rates [0.5, -.5, 5., +1]
        - *rates
      """
    let json = """
      {"tales": {"bytes": 3000000, "vocabulary": 512},
       "models": [
         {"name": "1", "chunk": [2, 4], "learning_rate": 0.001, "plain": true, "nothing": null},
         {"rates": [0.5, -0.5, 5.0, 1]}, [0.5, -0.5, 5.0, 1]]}
      """
    #expect(try read(yaml).text == read(json, as: "a.json").text)
    #expect(try read(json, as: "a.yml").text == read(json, as: "a.json").text)
  }

  @Test(
    "plain words are what YAML 1.2 takes them for",
    arguments: [
      ("no", "\"no\""), ("1/3", "\"1/3\""), ("1_000", "\"1_000\""), ("12:30", "\"12:30\""), ("0.1.2", "\"0.1.2\""),
      ("e5", "\"e5\""),
      ("nan", "\"nan\""),
      ("\"5\"", "\"5\""), ("!!str 5", "\"5\""), ("~", "null"), ("", "null"), ("FALSE", "false"), ("007", "7"),
      ("99999999999999999999", "1e+20"), ("1E3", "1000.0"),
    ])
  func words(yaml: String, json: String) throws {
    #expect(try read(yaml).text == json)
  }

  @Test(
    "what cannot be read is refused in one line with file and line",
    arguments: [
      ("a: 1\nb: [1, 2\nc: 3", "line 3"), ("a: 1\n b: 2", "line 2"), ("a: 1\n\tb: 2", "line 2"),
      ("a: 1\nb: 2\na: 3", "'a' twice"), ("a: 1\n---\nb: 2", "document"), ("a:\n  b: *c", "line 2"),
      ("a: !calm 5", "'!calm'"), ("a: !!binary aGk=", "binary"), ("? [1, 2]\n: 3", "name of a member"),
      ("x: 1\ny: 2\nz: \u{1}", "line 3"), ("a: 1e999", "too large"),
    ])
  func refused(text: String, wanted: String) {
    let error = #expect(throws: SettingsFileError.self) { try read(text) }
    let message = error?.description ?? ""
    #expect(message.contains("a.yaml: ") && message.contains(wanted) && !message.contains("\n"), "\(message)")
  }

  @Test("JSON is refused with its line as well")
  func refusedJSON() {
    let error = #expect(throws: SettingsFileError.self) { try read("{\"a\": 1,\n \"b\" 2}", as: "a.json") }
    #expect(error?.description.contains("a.json: expected \":\" at line 2") == true)
  }

  @Test(
    "an alias, a sequence or a mapping as the name of a member is refused before it is hashed",
    arguments: ["? *a30\n: 1", "b: {*a30 : 1}", "? [*a30, *a30]\n: 1", "- ? {c: *a30}\n  : 1", "*a0 : 1"])
  func aliasInName(text: String) {
    // Hashing the value of a30 would take 3^30 steps.
    let laughs = (1...30).reduce("- &a0 x\n") { text, level in
      text + "- &a\(level) [*a\(level - 1), *a\(level - 1), *a\(level - 1)]\n"
    }
    let indented = text.split(separator: "\n").joined(separator: "\n  ")
    let error = #expect(throws: SettingsFileError.self) { try read(laughs + "- " + indented) }
    #expect(error?.reason == "the name of a member must be a text at line 32", "\(String(describing: error))")
  }

  @Test("neither size, depth nor repetition can exhaust the process")
  func bounds() {
    let laughs = (1...30).reduce("a0: &a0 [1]\n") { text, level in
      text + "a\(level): &a\(level) [\((0..<9).map { _ in "*a\(level - 1)" }.joined(separator: ","))]\n"
    }
    #expect(throws: SettingsFileError.self) { try read(laughs) }
    #expect(throws: SettingsFileError.self) { try read(String(repeating: "[", count: 500_000)) }
    #expect(throws: SettingsFileError.self) { try read("#" + String(repeating: " ", count: 1 << 20)) }
    #expect(throws: SettingsFileError.self) { try read(Data([0x61, 0xFF]), as: "a.yaml") }
    for file in ["/nowhere/a.yaml", "/tmp/a.toml", "/"] {
      #expect(throws: (any Error).self) { try SettingsFile.read(URL(fileURLWithPath: file)) }
    }
  }
}
