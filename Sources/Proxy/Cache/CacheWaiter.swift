internal import Reactor
internal import WebAPI

/// A request that waits for another one's answer: not too long, and no longer than its client.
@ReactorActor
final class CacheWaiter {
    private let context: RequestContext
    private let flight: CacheFlight
    private var timer: Timer?
    private var onEnd: ((CacheFlight.Outcome?) -> Void)?
    /// Its place among those who wait for the flight.
    private var number = 0

    init(_ context: RequestContext, _ flight: CacheFlight) {
        self.context = context
        self.flight = flight
    }

    /// - Parameter onEnd: Called once; with nil if the client has left.
    func start(onEnd: @escaping @ReactorActor (CacheFlight.Outcome?) -> Void) {
        self.onEnd = onEnd
        let timer = Timer { [self] in end(.alone) }
        timer.schedule(after: CachedRoute.patience)
        self.timer = timer
        context.onClientGone = { [self] in
            context.abandon()
            end(nil)
        }
        number = flight.wait { [self] in end($0) }
    }

    private func end(_ outcome: CacheFlight.Outcome?) {
        guard let onEnd = onEnd.take() else { return }
        timer?.cancel()
        timer = nil
        context.onClientGone = nil
        flight.leave(number)
        onEnd(outcome)
    }
}
