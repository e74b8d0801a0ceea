internal import Metrics
internal import Reactor
internal import WebAPI

/// Where a process hears of prices.
@ReactorActor
protocol PriceSource: AnyObject {
    /// What clients are told while it says nothing.
    var silence: APIError { get }
    /// Begins to tell a broadcast what happens.
    func start(_ broadcast: Broadcast)
    /// Somebody may listen, and asks with this.
    func asked(by context: RequestContext)
    /// Tells it no more.
    func stop()
    /// Ends for good.
    func close()
}

/// The streams of prices of a process: all clients are told from one source, which is asked only while there are some.
@ReactorActor
final class LivePrices {
    /// Most streams at a time. Connections are left for other requests: see `server.max_connections`.
    private static let streamsMax = 10_000
    /// How long it is known what happens after the last client has left, so that one that comes back misses nothing.
    private static let linger = Duration.seconds(60)

    private let broadcast = Broadcast(limit: streamsMax)
    private let source: any PriceSource
    private var waiting: [Promise<Void, Never>] = []
    private var isStarted = false
    private var timer: Timer?

    /// Requests that wait for what there is to tell; for tests.
    var waitingCount: Int { waiting.count }

    init(from source: any PriceSource) {
        self.source = source
        timer = Timer { [unowned self] in stop() }
        broadcast.onBegun = { [unowned self] in goOn() }
        broadcast.onIdle = { [unowned self] in timer?.schedule(after: Self.linger) }
    }

    /// Answers a request with a stream.
    ///
    /// - Parameter symbols: nil for all.
    func serve(_ context: RequestContext, _ symbols: [String]?, after number: Int64?) {
        source.asked(by: context)
        start()
        guard !broadcast.isBegun else { return open(context, symbols, number) }
        Reactor.spawn { [self] in
            let begun = Promise<Void, Never>()
            waiting.append(begun)
            let deadline = Timer { begun.succeed(()) }
            deadline.schedule(at: context.deadline)
            _ = await begun.result
            deadline.cancel()
            waiting.removeAll { $0 === begun }
            guard broadcast.isBegun else { return context.fail(source.silence) }
            open(context, symbols, number)
        }
    }

    private func open(_ context: RequestContext, _ symbols: [String]?, _ number: Int64?) {
        do throws(APIError) {
            try broadcast.open(context, topics: symbols, after: number)
        } catch {
            context.fail(error)
        }
        if broadcast.count > 0 { timer?.cancel() }
    }

    /// Ends whatever is under way.
    func close() {
        stop()
        source.close()
    }

    private func start() {
        // Who comes and leaves before there is a stream must not keep the source for ever.
        if broadcast.count == 0 { timer?.schedule(after: Self.linger) }
        guard !isStarted else { return }
        isStarted = true
        source.start(broadcast)
    }

    private func stop() {
        guard isStarted else { return }
        isStarted = false
        timer?.cancel()
        source.stop()
        broadcast.forget()
        goOn()
    }

    /// Has those go on who wait for something to tell.
    private func goOn() {
        let promises = waiting
        waiting = []
        for promise in promises { promise.succeed(()) }
    }
}

extension LivePrices: Measured {
    func collect(into page: inout MetricsPage) {
        page.gauge("tickloop_price_streams", "Streams of prices that are open.", broadcast.count)
        page.counter(
            "tickloop_price_stream_events_total",
            "Events of prices that streams were given.",
            broadcast.counters.sent
        )
        page.counter(
            "tickloop_price_stream_events_late_total",
            "Events of prices whose client was not ready: it gets the newest of each symbol later.",
            broadcast.counters.late
        )
        page.counter(
            "tickloop_price_streams_cut_total",
            "Streams of prices that were cut because their clients did not read.",
            broadcast.counters.cut
        )
    }
}
