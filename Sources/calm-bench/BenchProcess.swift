import CALMTerminal
import Foundation

/// Runs measurements in other processes.
enum BenchProcess {
  /// Runs this program with other arguments and decodes the JSON that it prints.
  static func runSelf<Result: Decodable>(_ arguments: [String], as type: Result.Type) throws -> Result {
    guard let program = Bundle.main.executableURL else {
      throw BenchError.failed("calm-bench", reason: "the path of the program is unknown")
    }
    return try run(program, arguments + ["--json"], as: type)
  }

  /// Runs a program and decodes the JSON that it prints.
  ///
  /// - Throws: ``BenchError/failed(_:reason:)`` with the last line of its standard error.
  static func run<Result: Decodable>(_ program: URL, _ arguments: [String], as type: Result.Type) throws -> Result {
    let name = arguments.dropFirst().prefix(3).joined(separator: " ")
    let errorFile = FileManager.default.temporaryDirectory.appendingPathComponent("calm-bench-\(UUID().uuidString)")
    _ = FileManager.default.createFile(atPath: errorFile.path, contents: nil)
    defer { try? FileManager.default.removeItem(at: errorFile) }
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = try FileHandle(forWritingTo: errorFile)
    do { try process.run() } catch { throw BenchError.failed(program.path, reason: "cannot be started") }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    if process.terminationStatus == 0, let result = try? decoder.decode(type, from: data) { return result }
    let last = (try? String(contentsOf: errorFile, encoding: .utf8))?.split(separator: "\n").last
    throw BenchError.failed(name, reason: last.map(String.init) ?? "ended with status \(process.terminationStatus)")
  }

  /// The script that times the official code, in the current folder or above this program.
  static func officialScript() throws -> URL {
    let name = "scripts/time-official.py"
    var folders = [URL(fileURLWithPath: FileManager.default.currentDirectoryPath)]
    var folder = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent()
    while let here = folder, here.path != "/" {
      folders.append(here)
      folder = here.deletingLastPathComponent()
    }
    guard
      let script = folders.map({ $0.appendingPathComponent(name) })
        .first(where: { FileManager.default.fileExists(atPath: $0.path) })
    else { throw BenchError.noScript }
    return script
  }
}
