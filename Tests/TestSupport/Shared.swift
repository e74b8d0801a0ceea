import Reactor

/// A value that is made when it is first asked for, once, however many ask at the same time.
@ReactorActor
final class Shared<Value: Sendable> {
    private enum State {
        case notMade
        case beingMade(waiting: [Promise<Value, any Error>])
        case made(Result<Value, any Error>)
    }

    private var state = State.notMade
    private let make: @ReactorActor () async throws -> Value

    nonisolated init(_ make: @escaping @ReactorActor () async throws -> Value) { self.make = make }

    func value() async throws -> Value {
        let promise = Promise<Value, any Error>()
        switch state {
        case .made(let result):
            return try result.get()
        case .beingMade(let waiting):
            state = .beingMade(waiting: waiting + [promise])
        case .notMade:
            state = .beingMade(waiting: [promise])
            Reactor.spawn { [self] in settle(await result()) }
        }
        return try await promise.value
    }

    private func result() async -> Result<Value, any Error> {
        do { return .success(try await make()) } catch { return .failure(error) }
    }

    private func settle(_ result: Result<Value, any Error>) {
        guard case .beingMade(let waiting) = state else { return }
        state = .made(result)
        for promise in waiting { promise.settle(result) }
    }
}
