import CALMSupport
import Foundation
import Testing

@Suite("Settings files") struct SettingsFileTests {
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

  @Test("A YAML settings file gives the same value as the equivalent JSON, in the same order")
  func sameValue() throws {
    let yaml = """
      # a comment
      stories: {bytes: 3000000, vocab_size: 512}
      models:
        - name: "1"
          chunk_size: [2, 4]
          learning_rate: 1e-3
          variational: true
          nothing:
        - rates: &rates [0.5, -.5, 5., +1]
        - *rates
      """
    let json = """
      {"stories": {"bytes": 3000000, "vocab_size": 512},
       "models": [
         {"name": "1", "chunk_size": [2, 4], "learning_rate": 0.001, "variational": true, "nothing": null},
         {"rates": [0.5, -0.5, 5.0, 1]}, [0.5, -0.5, 5.0, 1]]}
      """
    #expect(try read(yaml).text == read(json, as: "a.json").text)
    #expect(try read(json, as: "a.yml").text == read(json, as: "a.json").text)
  }

  @Test(
    "Plain scalars in YAML follow the core schema of YAML 1.2",
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
    "The error for an invalid YAML settings file is one line with the file and the position",
    arguments: [
      ("a: 1\nb: [1, 2\nc: 3", "line 3"), ("a: 1\n b: 2", "line 2"), ("a: 1\n\tb: 2", "line 2"),
      ("a: 1\nb: 2\na: 3", "'a' occurs twice"), ("a: 1\n---\nb: 2", "document"), ("a:\n  b: *c", "line 2"),
      ("a: !calm 5", "'!calm'"), ("a: !!binary aGk=", "binary"), ("? [1, 2]\n: 3", "key must be a string"),
      ("x: 1\ny: 2\nz: \u{1}", "line 3"), ("a: 1e999", "too large"),
    ])
  func refused(text: String, wanted: String) {
    let error = #expect(throws: SettingsFileError.self) { try read(text) }
    let message = error?.description ?? ""
    #expect(message.contains("a.yaml: ") && message.contains(wanted) && !message.contains("\n"), "\(message)")
  }

  @Test("The error for an invalid JSON settings file contains the line")
  func refusedJSON() {
    let error = #expect(throws: SettingsFileError.self) { try read("{\"a\": 1,\n \"b\" 2}", as: "a.json") }
    #expect(error?.description.contains("a.json: expected \":\" at line 2") == true)
  }

  @Test(
    "An alias, a sequence or a mapping as a YAML key is rejected before it is hashed",
    arguments: ["? *a30\n: 1", "b: {*a30 : 1}", "? [*a30, *a30]\n: 1", "- ? {c: *a30}\n  : 1", "*a0 : 1"])
  func aliasInKey(text: String) {
    // Hashing the value of a30 would take 3^30 steps.
    let laughs = (1...30).reduce("- &a0 x\n") { text, level in
      text + "- &a\(level) [*a\(level - 1), *a\(level - 1), *a\(level - 1)]\n"
    }
    let indented = text.split(separator: "\n").joined(separator: "\n  ")
    let error = #expect(throws: SettingsFileError.self) { try read(laughs + "- " + indented) }
    #expect(error?.reason == "a key must be a string at line 32", "\(String(describing: error))")
  }

  @Test("Settings files have limits on the size, the depth and the number of values")
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
