public import Reactor

/// A question that a server answers in a known way once it is ready.
///
/// One connection, one request, one look at what comes back: no pause is ever long enough to *know* that a server is
/// up.
public struct Probe: Sendable {
    /// What the bytes received so far say.
    enum Verdict: Sendable, Equatable { case ready, notReady, undecided }

    /// Where the server should be listening. The host is numeric; nothing is looked up.
    public let endpoint: Endpoint
    /// What is sent as soon as the connection stands.
    let request: [UInt8]
    /// Looks at everything received so far, at most ``answerLimitBytes``.
    let judge: @Sendable ([UInt8]) -> Verdict

    /// A server that has not made up its mind within this many bytes is not ready.
    static let answerLimitBytes = 4096

    /// HTTP: any 2xx to a GET.
    public static func http(_ endpoint: Endpoint, path: String = "/ready") -> Probe {
        let text = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        return Probe(endpoint: endpoint, request: Array(text.utf8)) { judge($0, readyOn: "HTTP/1.1 2") }
    }

    /// Redis: `PONG`. One that still loads its append-only file answers `-LOADING`, a wrong password `-NOAUTH`.
    static func redis(_ endpoint: Endpoint) -> Probe {
        Probe(endpoint: endpoint, request: Array("PING\r\n".utf8)) { judge($0, readyOn: "+PONG\r\n") }
    }

    /// PostgreSQL: a request for authentication. While it starts, recovers or shuts down it answers an error (SQLSTATE
    /// 57P03).
    ///
    /// SeeAlso: `PQping` of libpq, which does the same; "Message Formats" in PostgreSQL's manual.
    public static func postgres(_ endpoint: Endpoint, user: String) -> Probe {
        Probe(endpoint: endpoint, request: postgresStartup(user: user)) { judge($0, readyOn: "R") }
    }

    /// `StartupMessage` of protocol 3.0: length, version, then zero-terminated names and values, then a zero.
    static func postgresStartup(user: String) -> [UInt8] {
        let parameters = Array("user\0\(user)\0database\0postgres\0\0".utf8)
        let length = UInt32(8 + parameters.count)
        return (0..<4).map { UInt8(truncatingIfNeeded: length >> (24 - 8 * $0)) } + [0, 3, 0, 0] + parameters
    }

    static func judge(_ answer: [UInt8], readyOn prefix: String) -> Verdict {
        if answer.starts(with: prefix.utf8) { return .ready }
        return Array(prefix.utf8).starts(with: answer) ? .undecided : .notReady
    }
}

extension Probe {
    /// Asks once.
    ///
    /// - Returns: Whether the server was ready; `false` too when nobody listens or nothing came back within `limit`.
    @ReactorActor
    public func isReady(within limit: Duration = .seconds(2)) async -> Bool {
        let verdict = Promise<Bool, Never>()
        guard let question = Question(self, verdict) else { return false }
        let timer = Timer { verdict.succeed(false) }
        timer.schedule(after: limit)
        let isReady = await verdict.result.get()
        timer.cancel()
        withExtendedLifetime(question) {}
        return isReady
    }

    /// Asks again and again until the server is ready.
    ///
    /// - Parameter giveUp: Asked before each attempt; `true` ends the questions.
    /// - Returns: Whether the server became ready.
    @ReactorActor
    func becomesReady(orUntil giveUp: @ReactorActor () -> Bool) async -> Bool {
        // Growing, because PostgreSQL logs each question that comes while it recovers.
        var pause = Duration.milliseconds(10)
        while !giveUp() {
            if await isReady() { return true }
            do { try await Reactor.sleep(for: pause) } catch { return false }
            pause = min(pause * 1.5, .milliseconds(200))
        }
        return false
    }
}

/// One connection that asks.
@ReactorActor
private final class Question {
    private let probe: Probe
    private let verdict: Promise<Bool, Never>
    private let socket: FileDescriptor
    private var watcher: IOWatcher?
    private var answer: [UInt8] = []
    private var hasAsked = false

    /// - Returns: `nil` when it is known at once that nobody listens.
    init?(_ probe: Probe, _ verdict: Promise<Bool, Never>) {
        guard let address = probe.endpoint.numericAddress, let socket = try? Sockets.connect(to: address) else {
            return nil
        }
        self.probe = probe
        self.verdict = verdict
        self.socket = socket
        watcher = IOWatcher(descriptor: self.socket.number, for: .write) { [unowned self] _ in advance() }
    }

    private func advance() {
        if hasAsked { readAnswer() } else { ask() }
    }

    private func ask() {
        guard Sockets.pendingError(socket.number) == nil else { return end(isReady: false) }
        // A request is far smaller than the empty buffer of a new connection.
        let result = unsafe probe.request.withUnsafeBytes { unsafe Sockets.write(socket.number, $0) }
        guard result == .bytes(probe.request.count) else { return end(isReady: false) }
        hasAsked = true
        watcher?.watch(for: .read)
    }

    private func readAnswer() {
        var block = [UInt8](repeating: 0, count: 1024)
        switch unsafe block.withUnsafeMutableBytes({ unsafe Sockets.read(socket.number, into: $0) }) {
        case .bytes(let count): answer += block[..<count]
        case .wouldBlock: return
        case .endOfStream, .failed: return end(isReady: false)
        }
        switch probe.judge(answer) {
        case .ready: end(isReady: true)
        case .notReady: end(isReady: false)
        case .undecided: if answer.count > Probe.answerLimitBytes { end(isReady: false) }
        }
    }

    private func end(isReady: Bool) {
        watcher?.stop()
        verdict.succeed(isReady)
    }
}

extension Endpoint {
    /// The address to connect to when nothing needs to be looked up.
    fileprivate var numericAddress: SocketAddress? {
        switch self {
        case .tcp(let host, let port): SocketAddress(numericHost: host, port: port)
        case .unix(let path): .unix(path: path)
        }
    }
}
