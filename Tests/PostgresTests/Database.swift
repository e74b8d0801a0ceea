import Logging
import Postgres
import Reactor
import Supervision
import TestSupport

/// Puts the loop on a thread of its own before the first test that needs it.
let loop: Void = Reactor.runInBackground()

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A deadline that only a failing test meets.
@ReactorActor var soon: Instant { Reactor.now + .seconds(60) }

/// How to reach a new, empty database.
@ReactorActor
func database() async throws -> PostgresConfiguration {
    try forTests(await TestServers.createDatabase())
}

/// A configuration with timeouts that a busy machine does not run into.
@ReactorActor
func forTests(_ address: PostgresAddress, overTCP: Bool = false) throws -> PostgresConfiguration {
    var configuration = try PostgresConfiguration(connectionString: overTCP ? address.url : address.localURL)
    configuration.statementTimeout = .seconds(60)
    configuration.connectTimeout = .seconds(60)
    return configuration
}

/// Lets `body` have a connection of its own.
@ReactorActor @discardableResult
func withSession<Value>(
    _ configuration: PostgresConfiguration,
    _ body: @ReactorActor (PostgresSession) async throws -> Value
) async throws -> Value {
    let session = try await PostgresSession.open(configuration)
    defer { session.close() }
    return try await body(session)
}
