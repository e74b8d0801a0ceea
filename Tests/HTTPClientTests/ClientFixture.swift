import HTTPWire
import Reactor
import TestSupport

@testable import HTTPClient

/// Times that only matter when a test fails.
let longTime = Duration.seconds(30)

/// What became of a request, in few words.
enum Outcome: Equatable {
    case answer(UInt16, String)
    case failure(HTTPClientError)
}

extension HTTPClient {
    /// A client whose times do not end by themselves, unless the test changes them.
    convenience init(of upstream: Endpoint, _ change: (inout HTTPClientConfiguration) -> Void = { _ in }) {
        var configuration = HTTPClientConfiguration()
        configuration.connectTimeout = longTime
        configuration.connectWindow = longTime
        configuration.responseHeadTimeout = longTime
        configuration.circuitBreaker.leastPatience = .zero
        change(&configuration)
        self.init(upstream: upstream, configuration: configuration)
    }

    func outcome(
        _ method: HTTPMethod = .get,
        _ target: String = "/",
        body: String? = nil,
        within limit: Duration = longTime
    ) async -> Outcome {
        let request = HTTPClientRequest(method, target: target, authority: "test", body: body.map { Array($0.utf8) })
        do {
            return Outcome(try await send(request, deadline: Reactor.now + limit))
        } catch {
            return .failure(error)
        }
    }

    /// Starts a request and lets it run.
    @discardableResult
    func start(
        _ method: HTTPMethod = .get,
        _ target: String = "/",
        body: [UInt8]? = nil,
        within limit: Duration = longTime
    ) -> Running {
        let request = HTTPClientRequest(method, target: target, authority: "test", body: body)
        let running = Running()
        running.exchange = send(request, deadline: Reactor.now + limit) { result in
            switch result {
            case .success(let response): running.outcomes.append(Outcome(response))
            case .failure(let error): running.outcomes.append(.failure(error))
            }
        }
        return running
    }
}

extension Outcome {
    init(_ response: HTTPClientResponse) {
        self = .answer(response.status.rawValue, String(decoding: response.body, as: UTF8.self))
    }
}

/// A request under way, and every call of its callback.
@ReactorActor
final class Running {
    var exchange: HTTPClientExchange?
    var outcomes: [Outcome] = []

    /// Waits for the callback, and makes sure that it was the only one.
    var outcome: Outcome? {
        get async throws {
            try await eventually("the outcome") { !outcomes.isEmpty }
            await Reactor.yield()
            return outcomes.count == 1 ? outcomes[0] : nil
        }
    }
}

/// A complete response with a length.
func ok(_ body: String, fields: String = "") -> String {
    "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
}
