internal import Reactor
internal import WebAPI

/// Hears of prices from the internal API: one stream of all symbols, whatever the number of clients.
@ReactorActor
final class UpstreamPrices: PriceSource {
    let silence = APIError.upstreamTimeout

    private let source: EventSource
    private var broadcast: Broadcast?
    /// What has come of the newest of all symbols, until they are complete; nil when they are.
    private var beginning: [BroadcastEvent]? = []

    init(_ api: Relay) {
        source = EventSource(api, target: PriceStreamRoutes.allPath)
        source.onEvent = { [unowned self] in received($0) }
        // They ask again, and each is told for itself whether its token is still good.
        source.onRefused = { [unowned self] in broadcast?.endAll() }
    }

    func start(_ broadcast: Broadcast) {
        self.broadcast = broadcast
        beginning = []
        source.start()
    }

    func asked(by context: RequestContext) { source.lend(context) }

    func stop() {
        broadcast = nil
        source.stop()
    }

    func close() { stop() }

    private func received(_ event: ReceivedEvent) {
        switch event.type {
        case "reset":
            // What is known has a gap, or is of another database.
            beginning = []
        case "current":
            guard let events = beginning.take(), let position = Int64(event.id) else { return }
            broadcast?.begin(events, position: position)
        default:
            guard let event = PriceChange.event(event) else { return }
            if beginning == nil { broadcast?.publish(event) } else { beginning?.append(event) }
        }
    }
}
