// swift-tools-version: 6.1

import Foundation
import PackageDescription

// libtorch is not a Swift package. `make` fetches it once into a per-user cache; the environment variable LIBTORCH
// names the `torch` folder of an installed PyTorch instead. Either way scripts/set-up-libtorch writes the libtorch.pc
// that SwiftPM reads here by its absolute path: docs/design.md explains why.
func variable(_ name: String) -> String? {
  Context.environment[name].flatMap { $0.isEmpty ? nil : $0 }
}
let caches = variable("XDG_CACHE_HOME") ?? (variable("HOME") ?? NSHomeDirectory()) + "/.cache"
let cache = variable("CALM_CACHE") ?? caches + "/calm"
let installed = variable("LIBTORCH")
let libtorch = installed ?? cache + "/libtorch-2.13.0"
let packageConfiguration = (installed.map { cache + "/installed" + $0 } ?? libtorch) + "/libtorch.pc"

// Executables and tests find the libraries at run time. SwiftPM allows unsafe flags there: no other package uses them.
let findsLibtorch: [LinkerSetting] = [.unsafeFlags(["-Xlinker", "-rpath", "-Xlinker", libtorch + "/lib"])]
// The plugin of `make docs`, which sets the variable. Without the condition, the first build of anything else would
// compile the plugin's tools too, which takes half a minute.
let documentation: [Package.Dependency] =
  variable("CALM_DOCS") == nil
  ? [] : [.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")]
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

// The server, calm-serve, with its tests. Its HTTP library and what that depends on take minutes to build, so they are
// part of the package only for `make serve` and `make test-server`, which set the variable.
let log = Target.Dependency.product(name: "Logging", package: "swift-log")
let server: (products: [Product], packages: [Package.Dependency], targets: [Target]) =
  variable("CALM_SERVER") == nil
  ? ([], [], [])
  : (
    [.executable(name: "calm-serve", targets: ["calm-serve"])],
    [
      .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
      .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
      .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
      .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
      .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
      .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    [
      .target(
        name: "CALMServer",
        dependencies: [
          "CALMServing", "CALMSupport", .product(name: "Hummingbird", package: "hummingbird"),
          .product(name: "HummingbirdCore", package: "hummingbird"),
          .product(name: "HTTPTypes", package: "swift-http-types"), log,
          .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
          .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
          .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        ], resources: [.embedInCode("OpenAPI"), .embedInCode("Playground")]),
      .executableTarget(
        name: "calm-serve",
        dependencies: [
          "CALMServer", "CALMServing", "CALMTerminal", "CALM", "Torch", "CALMSupport", argumentParser, log,
        ], linkerSettings: findsLibtorch),
      .testTarget(
        name: "CALMServerTests",
        dependencies: [
          "CALMServer", "CALMServing", "CALM", "Torch", "CALMTokenizer", "CALMSupport", "CALMCorpus", "calm-cli",
          "calm-serve", log, .product(name: "ServiceLifecycleTestKit", package: "swift-service-lifecycle"),
        ]),
    ]
  )

let package = Package(
  name: "calm",
  platforms: [.macOS(.v14)],
  products: [
    .library(
      name: "CALM", targets: ["CALM", "CALMTraining", "CALMCorpus", "CALMTokenizer", "CALMSupport", "Torch"]),
    .executable(name: "calm", targets: ["calm-cli"]),
  ] + server.products,
  dependencies: [
    // Options, validation and help of the command line.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    // YAML for files that people write by hand (experiments, settings): lists and comments without JSON's quotes.
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ] + documentation + server.packages,
  // Each target imports only targets above it: see docs/design.md.
  targets: [
    .systemLibrary(name: "Clibtorch", pkgConfig: packageConfiguration),
    .target(
      name: "CTorch", dependencies: ["Clibtorch"],
      cxxSettings: [
        .headerSearchPath("gloo-declarations"),
        // The environment variable that limits the instructions of the kernels.
        .define("CTORCH_CPU_VARIABLE", to: "CALM_CPU"),
      ]),
    .target(name: "CALMSupport", dependencies: ["Yams"]),
    .target(name: "Torch", dependencies: ["CTorch", "CALMSupport"]),
    .target(name: "CALMTokenizer", dependencies: ["CALMSupport"]),
    .target(name: "CALMCorpus", dependencies: ["CALMTokenizer", "CALMSupport"]),
    .target(name: "CALM", dependencies: ["Torch", "CALMTokenizer", "CALMCorpus", "CALMSupport"]),
    .target(name: "CALMTraining", dependencies: ["CALM", "Torch", "CALMTokenizer", "CALMCorpus", "CALMSupport"]),
    .target(name: "CALMServing", dependencies: ["CALM", "Torch", "CALMTokenizer", "CALMSupport"]),
    .target(name: "CALMReports", dependencies: ["CALMTraining", "CALM", "CALMSupport"]),
    .target(
      name: "CALMExperiments",
      dependencies: ["CALMTraining", "CALMReports", "CALM", "Torch", "CALMTokenizer", "CALMCorpus", "CALMSupport"]),
    .target(
      name: "CALMTerminal",
      dependencies: ["CALMTraining", "CALM", "Torch", "CALMCorpus", "CALMSupport", argumentParser]),
    .executableTarget(
      name: "calm-cli",
      dependencies: [
        "CALMTerminal", "CALMExperiments", "CALMReports", "CALMTraining", "CALM", "Torch", "CALMTokenizer",
        "CALMCorpus", "CALMSupport", argumentParser,
      ], linkerSettings: findsLibtorch),
    .executableTarget(
      name: "calm-bench",
      dependencies: [
        "CALMTerminal", "CALMReports", "CALMTraining", "CALM", "Torch", "CALMTokenizer", "CALMCorpus", "CALMSupport",
        argumentParser,
      ], linkerSettings: findsLibtorch),

    .target(name: "TestSupport", dependencies: ["Torch", "CALMSupport"], path: "Tests/Support"),
    .testTarget(name: "CALMSupportTests", dependencies: ["CALMSupport"], linkerSettings: findsLibtorch),
    .testTarget(
      name: "TorchTests", dependencies: ["Torch", "CALMSupport", "CALMCorpus", "TestSupport"], exclude: ["Fixtures"]),
    .testTarget(
      name: "CALMTokenizerTests", dependencies: ["CALMTokenizer", "CALMCorpus", "CALMSupport"], exclude: ["Fixtures"]),
    .testTarget(name: "CALMCorpusTests", dependencies: ["CALMCorpus", "CALMTokenizer", "CALMSupport"]),
    .testTarget(
      name: "CALMTests", dependencies: ["CALM", "CALMCorpus", "CALMSupport", "Torch", "TestSupport"],
      exclude: ["Fixtures"]),
    .target(
      name: "TrainingTestSupport",
      dependencies: ["CALMTraining", "CALM", "Torch", "CALMCorpus", "CALMTokenizer"], path: "Tests/TrainingSupport"),
    .testTarget(
      name: "CALMTrainingTests",
      dependencies: [
        "CALMTraining", "CALMReports", "CALM", "Torch", "CALMCorpus", "CALMTokenizer", "CALMSupport", "TestSupport",
        "TrainingTestSupport",
      ]),
    .testTarget(name: "CALMReportsTests", dependencies: ["CALMReports", "CALMTraining", "TrainingTestSupport"]),
    .testTarget(
      name: "CALMExperimentsTests",
      dependencies: ["CALMExperiments", "CALMTraining", "CALM", "CALMCorpus", "CALMSupport", "TrainingTestSupport"]),
    .testTarget(
      name: "CALMServingTests",
      dependencies: ["CALMServing", "CALM", "Torch", "CALMTokenizer", "CALMSupport", "CALMCorpus"]),
    .testTarget(name: "CALMTerminalTests", dependencies: ["CALMTerminal", "CALMSupport"]),
    .testTarget(
      name: "CLITests", dependencies: ["calm-cli", "calm-bench", "CALMCorpus", "CALMSupport"]),
  ] + server.targets,
  cxxLanguageStandard: .cxx20
)
