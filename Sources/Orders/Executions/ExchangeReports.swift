internal import HTTPBodies
internal import HTTPClient
internal import HTTPWire
internal import JSONWire
internal import Reactor
internal import TLS

/// Asks the exchange for its reports: as a stream without an end, by number, and how executions stand now.
@ReactorActor
final class ExchangeReports {
    /// The most that one page may have of bytes.
    private static let pageBytesMax = 16 * 1024 * 1024
    /// Executions of one page.
    static let executionsMax = 1000
    private static let timeout = Duration.seconds(10)

    private let base: HTTPBaseURL
    private let streaming: HTTPClient
    private let asking: HTTPClient

    init(_ base: HTTPBaseURL, tls: TLSClientContext?) {
        precondition(tls != nil || !base.isSecure, "whom to trust must be known")
        self.base = base
        var configuration = HTTPClientConfiguration()
        configuration.tls = tls
        // One that is being given up and the next; it is the machine that decides when to try again.
        configuration.connections = 2
        configuration.waitingRequests = 2
        configuration.connectWindow = .milliseconds(1)
        configuration.circuitBreaker.failures = .max
        configuration.circuitBreaker.longestOpening = configuration.circuitBreaker.firstOpening
        configuration.responseLimits.bodyBytes = .max
        streaming = HTTPClient(upstream: base.endpoint, configuration: configuration)
        configuration.responseLimits.bodyBytes = Self.pageBytesMax
        asking = HTTPClient(upstream: base.endpoint, configuration: configuration)
    }

    func close() {
        streaming.close()
        asking.close()
    }

    /// Follows the reports behind a number.
    func follow(
        after number: Int,
        came: @escaping @ReactorActor ([ReportLine]) -> Void,
        ended: @escaping @ReactorActor () -> Void
    ) -> ReportStream {
        let stream = ReportStream(came: came, ended: ended)
        let request = get("/exchange/reports?after=\(number)")
        // Whoever follows notices silence.
        stream.request = streaming.open(request, deadline: .distantFuture, silence: nil) { stream.answered($0) }
        return stream
    }

    /// Reports behind a number; nil if there is no answer.
    func reports(after number: Int, count: Int) async -> [ExecutionReport]? {
        guard let body = await ask("/exchange/reports?after=\(number)&limit=\(count)") else { return nil }
        return body.split(separator: UInt8(ascii: "\n")).prefix(count).compactMap { line in
            if case .report(let report) = ReportLine(Array(line)) { report } else { nil }
        }
    }

    /// How executions stand whose last report is behind a number, in the order of these; nil if there is no answer.
    func executions(after number: Int) async -> (page: [ExecutionReport], next: Int?)? {
        guard let body = await ask("/exchange/executions?after=\(number)&limit=\(Self.executionsMax)"),
            let json = try? JSONValue(parsing: body, limits: JSONLimits(bytes: Self.pageBytesMax)),
            let rows = json["executions"]?.array
        else { return nil }
        let page = rows.compactMap { row -> ExecutionReport? in
            guard let number = row["number"]?.integer, let execution = ExecutionReport.Execution(row),
                let order = row["order_id"]?.string.flatMap({ OrderID($0) })
            else { return nil }
            return ExecutionReport(number: number, content: .execution(order, execution))
        }
        return (page, json["next"]?.integer)
    }

    private func get(_ target: String) -> HTTPClientRequest {
        HTTPClientRequest(.get, target: base.path + target, authority: base.authority)
    }

    private func ask(_ target: String) async -> [UInt8]? {
        guard let response = try? await asking.send(get(target), deadline: Reactor.now + Self.timeout),
            response.status == .ok
        else { return nil }
        return response.body
    }
}

/// The exchange's stream of reports, until it ends or is closed.
@ReactorActor
final class ReportStream {
    fileprivate var request: HTTPClientExchange?
    private var body: HTTPBody?
    private var isPaused = false
    private var isReading = false
    private let came: @ReactorActor ([ReportLine]) -> Void
    private let ended: @ReactorActor () -> Void
    /// The beginning of a line.
    private var rest: [UInt8] = []

    fileprivate init(
        came: @escaping @ReactorActor ([ReportLine]) -> Void,
        ended: @escaping @ReactorActor () -> Void
    ) {
        self.came = came
        self.ended = ended
    }

    /// Nobody is called back any more.
    func close() {
        body = nil
        request?.cancel()
    }

    /// Reads no more, or on.
    func setPaused(_ isPaused: Bool) {
        self.isPaused = isPaused
        read()
    }

    fileprivate func answered(_ result: Result<HTTPClientResponse, HTTPClientError>) {
        guard case .success(let response) = result, response.status == .ok else {
            close()
            return ended()
        }
        body = response.pulled
        read()
    }

    private func read() {
        guard let body, !isReading, !isPaused else { return }
        isReading = true
        body.read { [self] result in
            isReading = false
            // Without it the stream was closed.
            guard self.body != nil else { return }
            guard case .success(let piece?) = result else {
                close()
                return ended()
            }
            take(piece)
            read()
        }
    }

    private func take(_ piece: [UInt8]) {
        rest += piece
        guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else {
            if rest.count > ReportLine.bytesMax { endAsUnreadable() }
            return
        }
        let lines = rest[..<end].split(separator: UInt8(ascii: "\n")).map { ReportLine(Array($0)) }
        rest.removeSubrange(...end)
        came(lines)
    }

    private func endAsUnreadable() {
        close()
        came([.unreadable])
        ended()
    }
}
