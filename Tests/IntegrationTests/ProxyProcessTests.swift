import Glibc
import Reactor
import Supervision
import TestSupport
import Testing

/// A gateway process whose routes change while it is asked, and whose upstream comes and goes.
@Suite struct ProxyProcessTests {
    init() { Reactor.runInBackground() }

    /// A gateway with one route to an upstream; it needs no broker for that.
    @ReactorActor
    private final class Gateway {
        let endpoint: Endpoint
        let process: TickloopProcess
        private let file: String

        init(to upstream: Endpoint, _ keys: String = "") async throws {
            let port = try FreePort.choose()
            endpoint = .tcp(host: "127.0.0.1", port: port)
            file = "\(try TestFolder.make())/gateway.toml"
            try Files.write(Self.text(port, upstream, keys), to: file)
            process = try TickloopProcess(["gateway", "--config", file])
            try await eventually("the gateway") { (try? await request("GET", "/health", on: endpoint))?.status == 200 }
        }

        /// Puts another file in its place, and says so.
        func reload(_ text: String) throws {
            try Files.write(text, to: file)
            process.send(SIGHUP)
        }

        func text(to upstream: Endpoint, _ keys: String = "") -> String {
            guard case .tcp(_, let port) = endpoint else { return "" }
            return Self.text(port, upstream, keys)
        }

        private static func text(_ port: UInt16, _ upstream: Endpoint, _ keys: String) -> String {
            """
            [server]
            listen = ["127.0.0.1:\(port)"]
            [shutdown]
            # Statistics would wait longer for a broker that is not there.
            grace_ms = 100
            [[proxy]]
            prefix = "/"
            upstreams = ["http://\(upstream)"]
            \(keys)

            """
        }

        func stop() async throws {
            process.send(SIGTERM)
            #expect(try await process.waitForEnd() == .exited(0), "\(process.lines.suffix(10))")
        }
    }

    /// Clients that ask for paths of their own without pause, and look whose answer they get.
    @ReactorActor
    private final class Clients {
        private(set) var answers: [Int: Int] = [:]
        private(set) var wrong: [String] = []
        private(set) var byName: [String: Int] = [:]
        private let endpoint: Endpoint
        private let path: @ReactorActor (Int) -> String
        private let isRight: @ReactorActor (String, String) -> Bool
        private var isStopping = false
        private var running = 0
        private var number = 0

        /// - Parameters:
        ///   - path: What is asked for, by number.
        ///   - isRight: Whether a body is the answer to a path.
        init(
            _ count: Int,
            on endpoint: Endpoint,
            path: @escaping @ReactorActor (Int) -> String = { "/item/\($0)" },
            isRight: @escaping @ReactorActor (String, String) -> Bool = { path, body in
                body.split(separator: " ").first.map { String($0) } == path
            }
        ) {
            self.endpoint = endpoint
            self.path = path
            self.isRight = isRight
            running = count
            for _ in 0..<count {
                Reactor.spawn { [self] in
                    await run()
                    running -= 1
                }
            }
        }

        var right: Int { answers[200] ?? 0 }
        var other: Int { answers.values.reduce(0, +) - right }

        /// Waits for so many more right answers.
        func flow(_ count: Int = 50) async throws {
            let goal = right + count
            try await eventually("\(count) right answers", within: .seconds(60)) { right >= goal }
        }

        func stop() async throws {
            isStopping = true
            try await eventually("the last answers", within: .seconds(60)) { running == 0 }
        }

        private func run() async {
            var socket: TestSocket?
            while !isStopping {
                if socket?.isEnded ?? true { socket = try? await TestSocket(to: endpoint) }
                guard let connected = socket else { continue }
                number += 1
                let path = path(number)
                connected.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
                do {
                    judge(try await connected.takeResponse(), to: path)
                } catch {
                    // A cut answer is told by a cut, and nothing else: its part was not complete.
                    answers[0, default: 0] += 1
                    socket = nil
                }
            }
            socket?.close()
        }

        private func judge(_ answer: TestResponse, to path: String) {
            answers[answer.status, default: 0] += 1
            if answer.status == 200 {
                if !isRight(path, answer.body) { wrong.append("\(path): \(answer.body)") }
                byName[String(answer.body.split(separator: " ").last ?? ""), default: 0] += 1
            } else if answer.status != 204, ErrorBody(answer) == nil || answer["proxy-status"] == nil {
                wrong.append("\(path): \(answer.status) \(answer.body)")
            }
        }
    }

    /// An upstream that answers each path with itself and its own name, or does what else it is told.
    @ReactorActor
    private final class Upstream {
        let listener: TestListener
        var fault: (@ReactorActor (TestSocket) -> Void)?
        private let name: String
        private var sockets: [TestSocket] = []

        init(_ name: String, port: UInt16 = 0) throws {
            self.name = name
            listener = try TestListener(port: port)
            Reactor.spawn { [self] in
                while let socket = try? await listener.accept() {
                    sockets.append(socket)
                    Reactor.spawn { [self] in await serve(socket) }
                }
            }
        }

        private func serve(_ socket: TestSocket) async {
            while let head = try? await socket.take(through: "\r\n\r\n") {
                if let fault { return fault(socket) }
                let body = "\(head.split(separator: " ")[1]) \(name)"
                socket.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
        }

        /// Stops listening, and resets whoever is connected.
        func kill() {
            listener.close()
            for socket in sockets where !socket.isEnded { socket.reset() }
        }
    }

    @Test @ReactorActor func `SIGHUP takes other routes while clients ask, and a faulty file changes nothing`()
        async throws
    {
        let (old, new) = (try Upstream("old"), try Upstream("new"))
        let gateway = try await Gateway(to: old.listener.endpoint)
        let clients = Clients(8, on: gateway.endpoint)
        try await clients.flow()
        #expect(clients.byName["new"] == nil)
        try gateway.reload(gateway.text(to: new.listener.endpoint))
        try await eventually("the new upstream") { (clients.byName["new"] ?? 0) > 50 }
        let before = clients.byName["old"] ?? 0
        try gateway.reload(gateway.text(to: old.listener.endpoint, "timeout_ms = \"soon\""))
        try await eventually("the complaint") {
            gateway.process.lines.contains { $0.contains("configuration refused, nothing has changed") }
        }
        try await clients.flow()
        try await clients.stop()
        #expect(clients.byName["old"] == before)
        #expect(Set(clients.answers.keys) == [200])
        #expect(clients.wrong == [])
        try await gateway.stop()
    }

    @Test @ReactorActor
    func `whatever an upstream does, clients get contracted answers and nobody else's, and it is used when it is back`()
        async throws
    {
        let upstream = try Upstream("first")
        guard case .tcp(_, let port) = upstream.listener.endpoint else { return }
        let gateway = try await Gateway(to: upstream.listener.endpoint, "timeout_ms = 300\nidle_timeout_ms = 300")
        let clients = Clients(16, on: gateway.endpoint)
        try await clients.flow()
        let faults: [@ReactorActor (TestSocket) -> Void] = [
            { $0.reset() },
            { $0.close() },
            { _ in },
            { $0.send("220 mail.test ESMTP\r\n\r\n") },
            {
                $0.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n/item/0 half")
                $0.close()
            },
            { $0.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") },
            { $0.send("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n/item/0") },
        ]
        for fault in faults {
            upstream.fault = fault
            let before = clients.answers.values.reduce(0, +)
            try await eventually("what becomes of it") { clients.answers.values.reduce(0, +) > before + 32 }
            upstream.fault = nil
            try await clients.flow()
        }
        upstream.kill()
        try await eventually("refusals") { (clients.answers[502] ?? 0) > 32 }
        let back = try Upstream("back", port: port)
        try await clients.flow(200)
        try await clients.stop()
        back.kill()
        #expect(clients.wrong == [])
        #expect(Set(clients.answers.keys).isSubset(of: [0, 200, 204, 502, 504]), "\(clients.answers)")
        try await gateway.stop()
    }

    /// A simulator, which is a process that can be killed and stopped.
    @ReactorActor
    private static func startSimulator(port: UInt16) async throws -> TickloopProcess {
        let process = try TickloopProcess(
            ["simulator"],
            environment: ["TICKLOOP_SERVER_LISTEN": "127.0.0.1:\(port)"]
        )
        let endpoint = Endpoint.tcp(host: "127.0.0.1", port: port)
        try await eventually("the simulator", within: .seconds(60)) {
            (try? await request("GET", "/health", on: endpoint))?.status == 200
        }
        return process
    }

    @Test(arguments: [(SIGKILL, 502), (SIGSTOP, 504)]) @ReactorActor
    func `an upstream that is killed or stopped is told by a contracted status, and asked again when it is back`(
        signal: CInt,
        status: Int
    ) async throws {
        let port = try FreePort.choose()
        var upstream = try await Self.startSimulator(port: port)
        let gateway = try await Gateway(to: .tcp(host: "127.0.0.1", port: port), "timeout_ms = 2000")
        let clients = Clients(16, on: gateway.endpoint) {
            "/categories/TST\($0)"
        } isRight: { path, body in
            body.hasPrefix(#"{"id":"\#(path.dropFirst(12))","#)
        }
        try await clients.flow()
        upstream.send(signal)
        // More than are under way at once: new ones are told, too.
        try await eventually("what becomes of it", within: .seconds(60)) { (clients.answers[status] ?? 0) > 32 }
        if signal == SIGSTOP {
            upstream.send(SIGCONT)
        } else {
            _ = try await upstream.waitForEnd()
            upstream = try await Self.startSimulator(port: port)
        }
        // Whatever was under way has ended by then; from now on all are answered.
        try await clients.flow(100)
        let before = clients.other
        try await clients.flow(300)
        #expect(clients.other == before)
        try await clients.stop()
        #expect(clients.wrong == [])
        // What was being sent when the upstream was killed is cut.
        #expect(Set(clients.answers.keys).isSubset(of: [0, 200, 502, 504]), "\(clients.answers)")
        #expect(clients.answers[0] ?? 0 <= 16)
        try await gateway.stop()
        upstream.send(SIGTERM)
        _ = try await upstream.waitForEnd()
    }
}
