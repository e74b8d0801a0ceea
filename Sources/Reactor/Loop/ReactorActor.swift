/// The isolation of everything that lives on the event loop.
///
/// A process has one loop, on one thread; whatever is `@ReactorActor` runs there and nowhere else, so such code
/// needs no lock, and between two suspension points it sees no change that it did not make.
@globalActor
public actor ReactorActor {
    /// The one instance; its executor is the loop.
    public static let shared = ReactorActor()

    /// The loop, for the Swift runtime.
    nonisolated public var unownedExecutor: UnownedSerialExecutor {
        unsafe LoopExecutor.shared.asUnownedSerialExecutor()
    }

    /// Enters the isolation synchronously, from a C callback that libev, libpq or hiredis makes on the loop's thread.
    ///
    /// Stops the process when called on another thread, because going on would be a data race.
    nonisolated public static func assumeIsolated<Value: Sendable>(
        _ body: @ReactorActor () throws -> Value
    ) rethrows -> Value {
        preconditionIsolated()
        return try withoutActuallyEscaping(body) { body in
            // There is no public `assumeIsolated` for a custom global actor. The isolation of a synchronous function
            // is not part of its calling convention, so the cast only drops a static fact that was just checked.
            let nonisolatedBody = unsafe unsafeBitCast(body, to: (() throws -> Value).self)
            return try nonisolatedBody()
        }
    }

    /// Stops the process when it is not on the loop's thread.
    nonisolated static func preconditionIsolated() {
        precondition(
            LoopExecutor.shared.isOnLoopThread,
            "This must run on the thread of the event loop; a C library called back on another thread."
        )
    }
}
