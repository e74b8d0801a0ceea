public import Logging
public import Reactor
import Supervision

/// Puts the loop on a thread of its own before the first test that needs it.
public let loop: Void = Reactor.runInBackground()

/// A log that nobody reads.
public let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A deadline that only a failing test meets.
@ReactorActor public var soon: Instant { Reactor.now + .seconds(120) }

/// The folder of `Package.swift`.
public let packageFolder = Files.parent(of: Files.parent(of: Files.parent(of: #filePath)))
