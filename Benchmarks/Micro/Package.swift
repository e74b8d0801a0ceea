// swift-tools-version: 6.2

import PackageDescription

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
    name: "micro",
    dependencies: [
        .package(name: "tickloop", path: "../.."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        .target(name: "CMeasure", cSettings: [.define("_GNU_SOURCE")]),
        .executableTarget(
            name: "micro",
            dependencies: [
                "CMeasure",
                tickloop("Reactor"), tickloop("HTTPWire"), tickloop("JSONWire"), tickloop("Redis"),
                tickloop("TaskQueue"), tickloop("Prices"), tickloop("Configuration"), tickloop("Service"),
                tickloop("Gateway"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
    ]
)
