// swift-tools-version: 6.2

import PackageDescription

// A package of its own, so that nobody who uses the main one resolves what only the benchmarks need.
//   swift run -c release --package-path Benchmarks latency --help

/// The same settings as the main package's; see there.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// A module of the main package.
func tickloop(_ name: String) -> Target.Dependency { .product(name: name, package: "tickloop") }

let package = Package(
    name: "benchmarks",
    dependencies: [
        .package(name: "tickloop", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CTimer", path: "CTimer"),
        .executableTarget(
            name: "latency",
            dependencies: [
                "CTimer", tickloop("Reactor"), tickloop("HTTPClient"), tickloop("HTTPWire"), tickloop("JSONWire"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "latency",
            swiftSettings: strict
        ),
        .testTarget(
            name: "latencyTests",
            dependencies: ["latency", tickloop("Reactor"), .product(name: "Histogram", package: "hdrhistogram-swift")],
            swiftSettings: strict
        ),
    ]
)
