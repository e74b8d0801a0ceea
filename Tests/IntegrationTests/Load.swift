import Reactor
import TestSupport

/// Clients that ask without pause, each on a connection that it keeps, and judge every answer.
@ReactorActor
final class Load {
    /// Answers 200 with the exact body.
    private(set) var right = 0
    /// Answers that should not be: 200 with another body, or an error in the wrong shape.
    private(set) var wrong: [String] = []
    /// Errors in the right shape, by code.
    private(set) var refusals: [String: Int] = [:]
    /// Requests that were sent and got no answer, or a part of one.
    private(set) var lost: [String] = []
    /// Connections that were not made: nothing was sent.
    private(set) var unconnected = 0

    private let endpoint: Endpoint
    private var isStopping = false
    private var running = 0

    /// Starts to ask.
    init(on endpoint: Endpoint, clients: Int = 8) {
        self.endpoint = endpoint
        running = clients
        for client in 0..<clients {
            Reactor.spawn { [self] in
                await run(from: client * 5)
                running -= 1
            }
        }
    }

    /// Waits until so many more right answers have come.
    func flows(_ count: Int = 100) async throws {
        let goal = right + count
        try await eventually("\(count) right answers", within: .seconds(60)) { right >= goal }
    }

    /// Asks no more, and returns when every request is answered.
    func stop() async throws {
        isStopping = true
        try await eventually("the last answers", within: .seconds(60)) { running == 0 }
    }

    /// Waits out the requests that are under way now.
    private func run(from first: Int) async {
        var socket: TestSocket?
        var next = first
        while !isStopping {
            // A connection that the server has closed is not asked on again.
            if socket?.isEnded ?? true { socket = await connect() }
            guard let connected = socket else { continue }
            let question = Question.all[next % Question.all.count]
            next += 1
            connected.send("GET \(question.target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
            do {
                let response = try await connected.takeResponse()
                judge(response, to: question)
                if response["connection"] == "close" { socket = nil }
            } catch {
                lost.append("\(question.target): \(error)")
                socket = nil
            }
        }
        socket?.close()
    }

    private func connect() async -> TestSocket? {
        if let socket = try? await TestSocket(to: endpoint) { return socket }
        unconnected += 1
        // Whoever restarts it is to have the processor.
        try? await Reactor.sleep(for: .milliseconds(20))
        return nil
    }

    private func judge(_ response: TestResponse, to question: Question) {
        if response.status == 200, response.body == question.body {
            right += 1
        } else if let error = ErrorBody(response), response.status >= 500 {
            refusals[error.code, default: 0] += 1
        } else {
            wrong.append("\(question.target): \(response.status) \(response.body)")
        }
    }
}
