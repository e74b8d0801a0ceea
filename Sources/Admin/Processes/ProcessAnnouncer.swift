internal import Glibc
internal import JSONWire
internal import Logging
public import Reactor
public import Redis

/// Says every few seconds, on the board, that this process is there and how it is.
@ReactorActor
public final class ProcessAnnouncer {
    /// What does not change while the process runs.
    public struct Card: Sendable {
        /// `gateway`, `api`, …
        var role: String
        /// Of the whole.
        var version: String
        /// Where it listens.
        var addresses: [String]

        /// Takes the parts.
        public init(role: String, version: String, addresses: [String]) {
            self.role = role
            self.version = version
            self.addresses = addresses
        }
    }

    private static let interval = Duration.seconds(5)
    private static let firstDelay = Duration.milliseconds(100)
    /// Most figures that are told.
    private static let figuresMax = 200

    private let id: String
    private let card: Card
    private let host: String
    private let startedAt = Reactor.unixTime
    private let redis: RedisClient
    private let board: ProcessBoard
    private let figures: @ReactorActor () async -> [(name: String, value: String)]
    private var timer: Timer?
    private var isTelling = false

    /// - Parameter figures: How the process is: names of metrics, with their labels, and values.
    public init(
        _ card: Card,
        redis configuration: RedisConfiguration,
        figures: @escaping @ReactorActor () async -> [(name: String, value: String)]
    ) {
        self.card = card
        self.figures = figures
        host = Self.hostName()
        id = "\(card.role)@\(host):\(getpid())"
        // That Redis is away is said by those who need it.
        redis = RedisClient(configuration, logger: Logger(label: card.role) { _ in SwiftLogNoOpLogHandler() })
        board = ProcessBoard(redis: redis)
        timer = Timer { [unowned self] in tell() }
    }

    /// Begins.
    public func start() {
        redis.start()
        timer?.schedule(after: Self.firstDelay)
    }

    /// Says that the process ends, if Redis hears it at once.
    public func stop() async {
        timer?.cancel()
        timer = nil
        if redis.isReady { try? await board.leave(id) }
        redis.close()
    }

    private func tell() {
        timer?.schedule(after: Self.interval)
        guard !isTelling, redis.isReady else { return }
        isTelling = true
        Reactor.spawn { [self] in
            // A board that is away is no fault of a process; it is told again.
            try? await board.tell(id, json(await figures()))
            isTelling = false
        }
    }

    private func json(_ figures: [(name: String, value: String)]) -> [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.object { writer in
            writer.member("role", card.role)
            writer.member("host", host)
            writer.member("pid", Int(getpid()))
            writer.member("version", card.version)
            writer.member("started_at", Timestamp(unixTime: startedAt).description)
            writer.key("addresses")
            writer.array { writer in
                for address in card.addresses { writer.string(address) }
            }
            writer.key("figures")
            writer.object { writer in
                for figure in figures.prefix(Self.figuresMax) { writer.member(figure.name, figure.value) }
            }
        }
        return writer.take()
    }

    private static func hostName() -> String {
        var bytes = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
