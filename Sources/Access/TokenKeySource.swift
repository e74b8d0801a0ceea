internal import Basics
public import HTTPClient
internal import HTTPWire
internal import Logging
internal import Reactor
internal import TLS

/// Where the keys of tokens are.
public enum KeyPlace: Hashable, Sendable, CustomStringConvertible {
    /// A JWKS in a file.
    case file(String)
    /// A JWKS behind a URL.
    case url(HTTPBaseURL)

    init?(parsing text: String) {
        if text.contains("://") {
            guard let url = HTTPBaseURL(parsing: text) else { return nil }
            self = .url(url)
        } else {
            self = .file(text)
        }
    }

    /// As it stands in a configuration.
    public var description: String {
        switch self {
        case .file(let path): path
        case .url(let url): url.description
        }
    }
}

/// The keys that tokens are verified with, from a file or a URL.
@ReactorActor
final class TokenKeySource {
    /// The least time between two questions that unknown keys cause: whoever makes keys up cannot have us ask all day.
    private static let leastInterval = Duration.seconds(10)
    /// After this time keys are asked for in any case, so that one which was withdrawn is not good for ever.
    private static let longestInterval = Duration.seconds(900)
    private static let timeout = Duration.seconds(5)

    /// The keys that are known now.
    private(set) var keys = TokenKeys()
    /// Whether any ever were.
    private(set) var hasKeys = false
    /// Called when the keys are others.
    var onChange: () -> Void = {}

    private let place: KeyPlace
    private let client: HTTPClient?
    private let logger: Logger
    private var askedAt: Instant?
    private var waiting: [@ReactorActor () -> Void] = []
    private var isAsking = false
    private lazy var timer = Timer { [unowned self] in refresh {} }

    /// - Parameter tls: For a URL that is `https`.
    init(_ place: KeyPlace, tls: TLSClientContext?, logger: Logger) async throws(AccessProblem) {
        self.place = place
        self.logger = logger
        switch place {
        case .file(let path):
            client = nil
            take(try await Self.read(path))
        case .url(let url):
            precondition(tls != nil || !url.isSecure, "whom to trust must be known")
            var configuration = HTTPClientConfiguration()
            configuration.connections = 1
            configuration.connectTimeout = Self.timeout
            configuration.responseHeadTimeout = Self.timeout
            configuration.responseLimits.bodyBytes = TokenKeys.bytesMax
            configuration.tls = tls
            client = HTTPClient(upstream: url.endpoint, configuration: configuration)
            timer.scheduleRepeating(every: Self.longestInterval)
            refresh {}
        }
    }

    /// Whether asking again could bring a key that is not known.
    var mayHaveNewKeys: Bool {
        guard client != nil else { return false }
        return isAsking || askedAt.map { Reactor.now - $0 >= Self.leastInterval } ?? true
    }

    /// Asks for the keys, and then calls `done`, whatever came of it.
    func refresh(then done: @escaping @ReactorActor () -> Void) {
        guard let client, case .url(let url) = place else { return done() }
        waiting.append(done)
        guard !isAsking else { return }
        isAsking = true
        askedAt = Reactor.now
        Reactor.spawn { [self] in
            let problem = await fetch(client, url)
            isAsking = false
            if let problem { logger.warning("keys for tokens were not fetched", metadata: ["reason": "\(problem)"]) }
            let all = waiting
            waiting = []
            for done in all { done() }
        }
    }

    private func fetch(_ client: HTTPClient, _ url: HTTPBaseURL) async -> String? {
        let request = HTTPClientRequest(.get, target: url.path.isEmpty ? "/" : url.path, authority: url.authority)
        do {
            let response = try await client.send(request, deadline: Reactor.now + Self.timeout)
            guard response.status == .ok else { return "the answer was \(response.status.code)" }
            take(try await TokenKeys(parsing: response.body))
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Reads the keys again, on SIGHUP. A file with a fault changes nothing.
    func reload() {
        guard case .file(let path) = place else { return refresh {} }
        Reactor.spawn { [self] in
            do throws(AccessProblem) {
                take(try await Self.read(path))
                logger.info("keys for tokens were read again")
            } catch {
                logger.error("keys for tokens stay as they are", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func take(_ keys: TokenKeys) {
        self.keys = keys
        hasKeys = true
        onChange()
    }

    private static func read(_ path: String) async throws(AccessProblem) -> TokenKeys {
        let bytes: [UInt8]
        do { bytes = try FileContents.bytes(path, atMost: TokenKeys.bytesMax) } catch {
            throw AccessProblem("auth.keys: \(path) \(error)")
        }
        do { return try await TokenKeys(parsing: bytes) } catch { throw AccessProblem("auth.keys: \(path) \(error)") }
    }
}

/// What stands in the way of knowing who may do what, for the operator.
public struct AccessProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The key of the configuration, and what is wrong with it.
    public let description: String

    init(_ description: String) { self.description = description }
}
