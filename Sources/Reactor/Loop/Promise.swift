/// One value that a callback hands to an `async` waiter.
///
/// The first result wins and later ones are ignored, so that a reply, a timer and a closing connection may race for it.
@ReactorActor
public final class Promise<Value: Sendable, Failure: Error> {
    @safe private enum State {
        case empty
        case waiting(UnsafeContinuation<Result<Value, Failure>, Never>)
        case settled(Result<Value, Failure>)
    }

    private var state = State.empty

    /// Makes a promise without a result.
    nonisolated public init() {}

    /// Settles the promise with a value, if nothing did before.
    public func succeed(_ value: Value) { settle(.success(value)) }

    /// Settles the promise with an error, if nothing did before.
    public func fail(_ failure: Failure) { settle(.failure(failure)) }

    /// Settles the promise, if nothing did before.
    public func settle(_ result: Result<Value, Failure>) {
        switch state {
        case .empty:
            state = .settled(result)
        case .waiting(let continuation):
            state = .settled(result)
            unsafe continuation.resume(returning: result)
        case .settled:
            break
        }
    }

    /// Whether there is a result.
    public var isSettled: Bool {
        if case .settled = state { true } else { false }
    }

    /// Waits for the result. At most one task may wait at a time; after it, the result can be asked for again.
    public var result: Result<Value, Failure> {
        get async {
            if case .settled(let result) = state { return result }
            // Unsafe, because a checked continuation allocates, and this class already makes sure of "exactly once".
            return await unsafe withUnsafeContinuation { continuation in
                switch state {
                case .empty: unsafe state = .waiting(continuation)
                // Between the look and the wait, where something lies between them.
                case .settled(let result): unsafe continuation.resume(returning: result)
                case .waiting: preconditionFailure("a promise has one waiter")
                }
            }
        }
    }

    /// Waits for the value; otherwise like ``result``, which a promise that cannot fail must use.
    public var value: Value {
        get async throws(Failure) { try await result.get() }
    }
}
