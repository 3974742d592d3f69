// swift-tools-version: 6.1

import Foundation
import PackageDescription

// libtorch is not a Swift package. `make` fetches it once into a per-user cache (scripts/set-up-libtorch); the
// environment variable LIBTORCH names an installed PyTorch's `torch` folder instead.
func variable(_ name: String) -> String? {
  Context.environment[name].flatMap { $0.isEmpty ? nil : $0 }
}
let caches = variable("XDG_CACHE_HOME") ?? (variable("HOME") ?? NSHomeDirectory()) + "/.cache"
let libtorch = variable("LIBTORCH") ?? (variable("CALM_CACHE") ?? caches + "/calm") + "/libtorch-2.13.0"

let torchHeaders: [CXXSetting] = [
  .unsafeFlags(["-isystem", libtorch + "/include", "-isystem", libtorch + "/include/torch/csrc/api/include", "-O3"]),
  // No loop with a square root in it becomes vector code as long as the root may set errno.
  .unsafeFlags(["-fno-math-errno"]),
  // The environment variable that limits the instructions of kernels.
  .define("CTORCH_CPU_VARIABLE", to: "CALM_CPU"),
]
let torchLibraries: [LinkerSetting] = [
  .unsafeFlags(["-L" + libtorch + "/lib", "-Xlinker", "-rpath", "-Xlinker", libtorch + "/lib"]),
  .linkedLibrary("torch_cpu"),
  .linkedLibrary("c10"),
]

let package = Package(
  name: "calm",
  platforms: [.macOS(.v14)],
  products: [
    .library(name: "CALM", targets: ["CALM", "Training", "TextCorpus", "Tokenization", "Torch"]),
    .executable(name: "calm", targets: ["calm-cli"]),
  ],
  dependencies: [
    // The command line: options, validation and help, as every Swift tool has them.
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    // YAML for files that people write by hand (experiments, settings): lists and comments without JSON's quotes.
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    .target(
      name: "CTorch", cxxSettings: torchHeaders + [.headerSearchPath("gloo-declarations")],
      linkerSettings: torchLibraries),
    .target(name: "Files", dependencies: ["Yams"]),
    .target(name: "Torch", dependencies: ["CTorch", "Files"]),
    .target(name: "Tokenization", dependencies: ["Files"]),
    .target(name: "TextCorpus", dependencies: ["Files"]),
    .target(name: "CALM", dependencies: ["Torch", "Tokenization", "TextCorpus", "Files"]),
    .target(name: "Training", dependencies: ["CALM", "Torch", "Tokenization", "TextCorpus", "Files"]),
    .executableTarget(
      name: "calm-cli",
      dependencies: [
        "CALM", "Training", "Torch", "Tokenization", "TextCorpus", "Files",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    .target(name: "TestSupport", dependencies: ["Torch"], path: "Tests/Support"),
    .testTarget(name: "FilesTests", dependencies: ["Files"]),
    .testTarget(
      name: "TorchTests", dependencies: ["Torch", "CTorch", "TextCorpus", "Files", "TestSupport"], exclude: ["Fixtures"]
    ),
    .testTarget(
      name: "TokenizationTests", dependencies: ["Tokenization", "TextCorpus", "Files"], exclude: ["Fixtures"]),
    .testTarget(name: "TextCorpusTests", dependencies: ["TextCorpus", "Files"]),
    .testTarget(name: "CALMTests", dependencies: ["CALM", "TextCorpus", "Torch"], exclude: ["Fixtures"]),
    .testTarget(
      name: "TrainingTests",
      dependencies: ["Training", "CALM", "Torch", "TextCorpus", "Tokenization", "Files", "TestSupport"]),
    .testTarget(name: "CommandTests", dependencies: ["calm-cli", "TextCorpus"]),
  ],
  cxxLanguageStandard: .cxx20
)
