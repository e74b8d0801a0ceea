// swift-tools-version: 6.2

import Foundation
import PackageDescription

/// The settings of every Swift target: the strictest that the language has.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    // Debug builds, and so all tests, check at run time that accesses to a variable do not overlap and that isolated
    // code is on its actor. In a process with one thread that is a fault of the code and not of the input, which the
    // tests would show; in release it would be a tenth of what a request costs.
    .unsafeFlags(
        [
            "-enforce-exclusivity=unchecked", "-Xfrontend", "-disable-dynamic-actor-isolation",
            "-cross-module-optimization",
        ],
        .when(configuration: .release)
    ),
]

/// References are counted without locking the bus, which is what counting costs: nothing but the loop's thread runs this
/// code. What another thread hands over belongs to the loop from then on, see `Reactor.post`.
let singleThreaded: SwiftSetting = .unsafeFlags(
    ["-Xfrontend", "-assume-single-threaded"],
    .when(configuration: .release)
)

/// A program offers no functions to libraries: the table of them, which a static standard library asks for, would be
/// read into memory at each start, and would keep what nobody calls.
let withoutExports: LinkerSetting = .unsafeFlags(["-Xlinker", "--no-export-dynamic"], .when(configuration: .release))

let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A module of the project, in `Sources/NAME`; a README beside its sources is for readers.
///
/// - Parameter embedded: Files that are compiled in, as `PackageResources.NAME_TYPE`.
func module(_ name: String, _ dependencies: [Target.Dependency] = [], embedded: [String] = []) -> Target {
    let readme = Context.packageDirectory + "/Sources/\(name)/README.md"
    let hasReadme = FileManager.default.fileExists(atPath: readme)
    return .target(
        name: name,
        dependencies: dependencies,
        exclude: hasReadme ? ["README.md"] : [],
        resources: embedded.map { .embedInCode($0) },
        swiftSettings: strict + [singleThreaded]
    )
}

/// A C library of the system: headers and `static inline` wrappers of macros, no logic.
func system(_ name: String, apt package: String) -> Target {
    .systemLibrary(name: name, path: "Sources/\(name)", providers: [.apt([package])])
}

/// The tests of a module, in `Tests/NAMETests`.
func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, swiftSettings: strict)
}

/// A feature: its module and the tests of it, which stand on what every feature may use, and on what it names.
struct Slice {
    /// The module and its tests.
    let targets: [Target]
    /// What a role depends on that serves it.
    let dependency: Target.Dependency

    /// - Parameters:
    ///   - more: What its module stands on besides.
    ///   - tests: What its tests stand on besides.
    init(
        _ name: String,
        _ more: [Target.Dependency] = [],
        embedded: [String] = [],
        tests others: [Target.Dependency] = []
    ) {
        let dependencies =
            [
                "Basics", "Reactor", "Configuration", "Metrics", "Postgres", "Redis", "HTTPServer", "HTTPWire",
                "JSONWire", "WebAPI", "Service", logging,
            ] + more
        dependency = .byName(name: name)
        targets = [
            module(name, dependencies, embedded: embedded),
            tests(of: name, dependencies + ["Supervision", "TestSupport"] + others),
        ]
    }
}

/// The features, each in a folder of its name; `Features` says which role serves which of them.
let slices = [
    Slice("Prices", ["TaskQueue", "TaskAPI", "Tracing"], tests: ["RedisStreams"]),
    Slice("Orders", ["Admin", "Outbox", "HTTPBodies", "HTTPClient", "TLS"]),
    Slice(
        "MarketData",
        ["Admin", "Outbox", "RedisStreams", "HTTPClient", "TLS", "Tracing", "Prices"],
        embedded: ["Live/live.html", "Live/live.css", "Live/live.js"],
        tests: ["Simulator"]
    ),
    Slice("Conversations", ["SharedCache"]),
    Slice(
        "Proxy",
        ["TaskQueue", "HTTPBodies", "HTTPClient", "RateLimits", "TLS", "Tracing"],
        embedded: ["statistics.html", "statistics.css", "statistics.js"].map { "Statistics/Page/\($0)" }
    ),
]

/// Modules for the packages under `Benchmarks/`, which are packages of their own so that nobody else needs what they do.
let products: [Product] = [
    "Reactor", "HTTPWire", "JSONWire", "HTTPServer", "HTTPClient", "Redis", "Configuration", "TaskQueue", "WebAPI",
    "Prices", "Service", "Gateway",
].map { .library(name: $0, targets: [$0]) }

/// What tests preload into a process whose clock is to be wrong.
let wrongClock = Product.library(name: "WrongClock", type: .dynamic, targets: ["WrongClock"])

let package = Package(
    name: "tickloop",
    products: products + [wrongClock],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // C libraries
        system("CLibev", apt: "libev-dev"),
        system("CPostgres", apt: "libpq-dev"),
        system("CHiredis", apt: "libhiredis-dev"),
        system("CCares", apt: "libc-ares-dev"),
        system("COpenSSL", apt: "libssl-dev"),
        system("CZlib", apt: "zlib1g-dev"),

        .systemLibrary(name: "CLinux", path: "Sources/CLinux"),

        // Ground floor: no I/O but files, which only starts and commands read
        module("Basics"),

        // Measured by everything above; pure
        module("Metrics"),

        // Ciphertext in, plaintext out: the only code that knows OpenSSL; pure
        module("TLS", ["COpenSSL"]),

        // The only code that knows zlib; pure
        module("Gzip", ["CZlib"]),

        // Loop: the only code that knows libev
        module("Reactor", ["Basics", "CLibev", "CCares", "CLinux", "Metrics", "TLS", deque]),

        // Wire: pure
        module("HTTPWire", ["Basics"]),
        module("JSONWire", ["Basics"]),

        // I/O
        module("HTTPBodies", ["Reactor", "HTTPWire"]),
        module("HTTPServer", ["Reactor", "TLS", "HTTPWire", "HTTPBodies", "Metrics", deque]),
        module("HTTPClient", ["Reactor", "TLS", "HTTPWire", "HTTPBodies", "Metrics", deque]),
        module("Postgres", ["Basics", "Reactor", "CPostgres", "Metrics", deque, logging]),
        module("Redis", ["Reactor", "CHiredis", "Metrics", deque, logging]),

        // Engine: knows nothing of prices
        module("Configuration", ["Basics", .product(name: "TOMLKit", package: "TOMLKit")]),
        module("Logs", ["Basics", "Reactor", "JSONWire", logging]),
        module(
            "Tracing",
            ["Basics", "Reactor", "TLS", "HTTPClient", "HTTPWire", "JSONWire", "Metrics", logging]
        ),
        module("TaskQueue", ["Basics", "Reactor", "Redis", "RedisStreams", "JSONWire", "Tracing", "Metrics", logging]),
        module("RedisStreams", ["Basics", "Reactor", "Redis", "Metrics", logging]),
        module(
            "WebAPI",
            [
                "Basics", "Reactor", "HTTPWire", "HTTPBodies", "HTTPServer", "HTTPClient", "JSONWire", "Tracing",
                "Metrics", "Gzip", deque, logging,
            ],
            embedded: ["Pages/page.js"]
        ),
        module(
            "Admin",
            ["Basics", "Reactor", "Redis", "RedisStreams", "HTTPServer", "HTTPWire", "JSONWire", "WebAPI", logging],
            embedded: ["Console/console.html", "Console/console.css", "Console/console.js"]
        ),
        module(
            "RateLimits",
            [
                "Admin", "Reactor", "Redis", "HTTPServer", "HTTPWire", "JSONWire", "Metrics", "WebAPI",
                "Configuration", logging,
            ]
        ),
        module("SharedCache", ["Reactor", "Redis"]),
        module(
            "TaskAPI",
            [
                "Admin", "Basics", "Reactor", "Redis", "HTTPWire", "HTTPServer", "JSONWire", "Tracing", "TaskQueue",
                "WebAPI",
            ]
        ),
        module(
            "Access",
            [
                "Basics", "Reactor", "TLS", "HTTPClient", "HTTPWire", "JSONWire", "WebAPI", "Configuration", logging,
                .product(name: "JWTKit", package: "jwt-kit"),
            ]
        ),
        module("Migrations", ["Basics", "Reactor", "Postgres", logging]),
        module("Outbox", ["Basics", "Reactor", "Postgres", "Metrics", logging]),
        module("Supervision", ["Basics", "Reactor", "CLinux"]),

        // What every role does
        module(
            "Service",
            [
                "Access",
                "Admin", "Basics", "CLinux", "Reactor", "TLS", "Configuration", "Logs", "Tracing", "HTTPServer",
                "HTTPClient", "WebAPI", "HTTPWire", "JSONWire", "Postgres", "Redis", "TaskQueue", "Metrics", "Outbox",
                logging,
            ]
        ),

        module("Features", slices.map(\.dependency) + ["Service"]),

        // Roles: wiring only
        module(
            "Gateway",
            [
                "Features", "Proxy", "Access", "HTTPClient", "WebAPI", "RateLimits", "Configuration", "Service",
                "Redis", "Reactor",
            ]
        ),
        module(
            "InternalAPI",
            [
                "Features", "Prices", "Access", "Admin", "RateLimits", "WebAPI", "Postgres", "Redis", "TaskQueue",
                "TaskAPI", "Configuration", "Service", "Migrations",
            ]
        ),
        module(
            "Worker",
            ["Features", "Reactor", "Postgres", "Redis", "TaskQueue", "Configuration", "Service", "Migrations"]
        ),
        module(
            "Simulator",
            [
                "Basics", "Reactor", "Configuration", "HTTPWire", "HTTPServer", "JSONWire", "WebAPI", "Service",
                "Orders",
            ]
        ),
        .executableTarget(
            name: "tickloop",
            dependencies: slices.map(\.dependency) + [
                "Gateway", "InternalAPI", "Worker", "Simulator", "Access", "Basics", "Configuration", "HTTPClient",
                "HTTPWire", "JSONWire", "Logs", "Migrations", "Postgres", "Reactor", "Redis", "RedisStreams", "Service",
                "Supervision", "TLS", "TaskQueue", "WebAPI", arguments, logging,
            ],
            path: "Sources/Commands",
            swiftSettings: strict,
            linkerSettings: [withoutExports]
        ),

        // Tests
        .target(name: "WrongClock", path: "Tests/WrongClock"),
        .target(
            name: "TestSupport",
            dependencies: [
                "Reactor", "Supervision", "Postgres", "HTTPBodies", "HTTPServer", "HTTPWire", "JSONWire", logging,
            ],
            path: "Tests/TestSupport",
            swiftSettings: strict
        ),
        tests(of: "Metrics"),
        tests(of: "Reactor", ["TestSupport"]),
        tests(of: "Supervision", ["Reactor", "TestSupport"]),
        tests(of: "Postgres", ["Reactor", "Metrics", "Supervision", "TestSupport", logging]),
        tests(of: "Migrations", ["Postgres", "Reactor", "Supervision", "TestSupport"]),
        tests(of: "Tracing", ["Reactor", "HTTPClient", "HTTPServer", "HTTPWire", "JSONWire", "TestSupport", logging]),
        tests(
            of: "TaskQueue",
            [
                "Basics", "Reactor", "Metrics", "Redis", "RedisStreams", "Tracing", "JSONWire", "Supervision",
                "TestSupport",
                logging,
            ]
        ),
        tests(of: "Redis", ["Reactor", "Metrics", "Supervision", "TestSupport", logging]),
        tests(of: "RedisStreams", ["Reactor", "Redis", "Supervision", "TestSupport", logging]),
        tests(of: "Access", ["JSONWire"]),
        tests(of: "RateLimits", ["JSONWire", "Reactor", "Redis", "Supervision", "TestSupport", logging]),
        tests(of: "Admin", ["HTTPWire", "WebAPI"]),
        tests(of: "JSONWire"),
        tests(of: "HTTPWire"),
        tests(of: "Gzip"),
        tests(
            of: "TLS",
            ["Reactor", "HTTPBodies", "HTTPClient", "HTTPServer", "HTTPWire", "Supervision", "TestSupport"]
        ),
        tests(of: "HTTPBodies", ["Reactor", "HTTPWire", "TestSupport"]),
        tests(of: "HTTPServer", ["TestSupport", "HTTPBodies", "HTTPWire"]),
        tests(of: "HTTPClient", ["Reactor", "Metrics", "TestSupport", "HTTPBodies", "HTTPWire"]),
        tests(of: "SharedCache", ["Reactor", "Redis", "Supervision", "TestSupport", logging]),
        // The functions in sql/, which any module's transactions may call.
        .testTarget(
            name: "OutboxTests",
            dependencies: ["Outbox", "Reactor", "Postgres", "Supervision", "TestSupport"],
            swiftSettings: strict
        ),
        tests(of: "Basics"),
        tests(of: "Configuration", ["Basics"]),
        tests(of: "Logs", ["TestSupport", "Reactor", "JSONWire", logging]),
        tests(of: "Service", ["Configuration", "HTTPServer", "HTTPWire", "Reactor", "Redis", "WebAPI"]),
        tests(
            of: "WebAPI",
            [
                "Tracing", "HTTPServer", "HTTPClient", "HTTPWire", "JSONWire", "Reactor", "Supervision", "TestSupport",
                "Gzip", logging,
            ]
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "tickloop", "TestSupport", "Reactor", "Supervision", "JSONWire", "HTTPServer", "HTTPClient", "HTTPWire",
                "TLS", "Access", "Basics", "Gzip",
            ],
            swiftSettings: strict
        ),
        tests(
            of: "tickloop",
            [
                "Basics", "Configuration", "Gateway", "InternalAPI", "Reactor", "Service", "Simulator", "Supervision",
                "TestSupport", "Worker",
            ]
        ),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ]
)

package.targets += slices.flatMap(\.targets)
