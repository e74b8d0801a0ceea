internal import HTTPServer
internal import Reactor

/// How the stream of reports fails; by number, all of them can still be had.
struct ReportFaults: Hashable {
    /// Share of reports that are left out.
    var dropRate = 0.0
    /// Share that comes twice.
    var repeatRate = 0.0
    /// Share that comes behind the next one.
    var swapRate = 0.0
    /// Whether not even heartbeats come.
    var isSilent = false
}

/// The clients that follow the reports.
@ReactorActor
final class ReportStreams {
    private static let heartbeat = Duration.seconds(1)

    var faults = ReportFaults()
    private let ledger: Ledger
    private var followers: [ObjectIdentifier: Follower] = [:]
    private var timer: Timer?
    /// So that many reports of one turn are one write.
    private var endOfTurn: EndOfTurn?

    init(_ ledger: Ledger) {
        self.ledger = ledger
        endOfTurn = EndOfTurn { [unowned self] in
            for follower in followers.values { follower.sendOn() }
        }
        timer = Timer { [unowned self] in
            for follower in followers.values { follower.beat() }
        }
        ledger.onReport = { [unowned self] in endOfTurn?.schedule() }
    }

    /// Writes reports from behind a number on, until the client leaves or the process drains.
    func serve(_ writer: HTTPResponseWriter, after number: Int) async {
        let ended = Promise<Void, Never>()
        let follower = Follower(writer, ledger, after: number, streams: self) { ended.succeed(()) }
        followers[ObjectIdentifier(follower)] = follower
        if followers.count == 1 { timer?.scheduleRepeating(every: Self.heartbeat) }
        writer.whenDraining { follower.end() }
        follower.beat()
        _ = await ended.result
        followers[ObjectIdentifier(follower)] = nil
        if followers.isEmpty { timer?.cancel() }
    }
}

/// One client, and how far it is.
@ReactorActor
private final class Follower {
    private let writer: HTTPResponseWriter
    private let ledger: Ledger
    private let streams: ReportStreams
    private let onEnd: @ReactorActor () -> Void
    private var position: Int
    private var heldBack: [UInt8] = []
    private var isWaiting = false

    init(
        _ writer: HTTPResponseWriter,
        _ ledger: Ledger,
        after position: Int,
        streams: ReportStreams,
        onEnd: @escaping @ReactorActor () -> Void
    ) {
        self.writer = writer
        self.ledger = ledger
        self.position = position
        self.streams = streams
        self.onEnd = onEnd
    }

    func end() {
        writer.finish()
        onEnd()
    }

    /// Reports that are due, and then how many there are.
    func beat() {
        guard !writer.isClosed else { return onEnd() }
        sendOn()
        guard !streams.faults.isSilent, !isWaiting else { return }
        write(ExchangeReport.heartbeat(last: ledger.reports.count) + [UInt8(ascii: "\n")])
    }

    func sendOn() {
        guard !writer.isClosed else { return onEnd() }
        guard !isWaiting else { return }
        while position < ledger.reports.count {
            guard writer.hasRoom else { return waitForRoom() }
            send(ledger.reports[position])
            position += 1
        }
        write(heldBack)
        heldBack = []
    }

    private func waitForRoom() {
        isWaiting = true
        writer.whenRoom { [self] in
            isWaiting = false
            sendOn()
        }
    }

    private func send(_ report: ExchangeReport) {
        let faults = streams.faults
        let line = report.line + [UInt8(ascii: "\n")]
        guard !faults.isSilent, !isDrawn(faults.dropRate) else { return }
        if heldBack.isEmpty, isDrawn(faults.swapRate) {
            heldBack = line
            return
        }
        write(line)
        if isDrawn(faults.repeatRate) { write(line) }
        write(heldBack)
        heldBack = []
    }

    private func write(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        writer.write(bytes.span)
    }

    private func isDrawn(_ rate: Double) -> Bool { rate > 0 && Double.random(in: 0..<1) < rate }
}
