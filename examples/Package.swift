// swift-tools-version: 6.1

import Foundation
import PackageDescription

// The folder that scripts/set-up-libtorch prints with --print. Executables find the libraries there at run time.
func variable(_ name: String) -> String? {
  Context.environment[name].flatMap { $0.isEmpty ? nil : $0 }
}
let caches = variable("XDG_CACHE_HOME") ?? (variable("HOME") ?? NSHomeDirectory()) + "/.cache"
let libtorch = variable("LIBTORCH") ?? (variable("CALM_CACHE") ?? caches + "/calm") + "/libtorch-2.13.0"
let findsLibtorch: [LinkerSetting] = [.unsafeFlags(["-Xlinker", "-rpath", "-Xlinker", libtorch + "/lib"])]

let package = Package(
  name: "examples",
  platforms: [.macOS(.v14)],
  dependencies: [.package(name: "calm", path: "..")],
  targets: [
    .executableTarget(
      name: "Generate", dependencies: [.product(name: "CALM", package: "calm")], linkerSettings: findsLibtorch),
    .executableTarget(
      name: "ScoreYourSampler", dependencies: [.product(name: "CALM", package: "calm")], linkerSettings: findsLibtorch),
  ]
)
