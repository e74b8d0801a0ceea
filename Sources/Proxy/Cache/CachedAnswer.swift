internal import HTTPServer
internal import HTTPWire
internal import Reactor
internal import WebAPI

/// An answer that is kept, or is about to be: its head, and its body as far as it has come.
@ReactorActor
final class CachedAnswer {
    enum Progress {
        case filling
        case complete
        /// The upstream's answer broke off, so that nobody may take this one for whole.
        case cut
    }

    /// Of a body that is not kept, what waits for its reader before the upstream is paused.
    private static let windowBytes = 256 * 1024

    let status: HTTPStatus
    let fields: HTTPFields
    let freshness: Freshness
    private(set) var progress = Progress.filling
    private(set) var body: [UInt8] = [] { didSet { weigh() } }
    /// What `Content-Length` said; nil if it is not known before the end.
    let length: Int?
    /// What was said in the fields by which answers differ (RFC 9111 §4.1).
    let vary: CacheVariant
    /// Whether the time in `Last-Modified` is this body's alone. A 304 does not make it so: it may be about what came
    /// later in the same second.
    private(set) var isModificationStrong: Bool
    /// Whether it has become too large to be kept: it has one reader, and what that one has read is dropped.
    private var isDetached = false
    /// How many bytes of the body are not in ``body`` any more.
    private(set) var droppedBytes = 0
    /// How far the one who read last has come.
    private var readBytes = 0
    /// The upstream, while it must not send more.
    private var onRead: (() -> Void)?
    /// Those who have read everything that has come.
    private var readers = Waiting<Void>()
    /// Fields with `Age`, of one second: most requests of a second find them made.
    private var served: (second: Int, fields: HTTPFields)?
    private let weights: AnswerWeights
    /// Of ``weights``, what this one is.
    private var weight = 0

    /// An answer whose head has come.
    convenience init(
        _ head: ResponseHead,
        _ fields: HTTPFields,
        to request: RequestHead,
        requestedAt: Int,
        receivedAt: Int,
        weights: AnswerWeights
    ) {
        let length: Int? = if case .length(let count) = head.framing { count } else { head.framing == .none ? 0 : nil }
        self.init(head.status, fields, length, to: request, (requestedAt, receivedAt), weights)
        if let length { body.reserveCapacity(length) }
    }

    private init(
        _ status: HTTPStatus,
        _ fields: HTTPFields,
        _ length: Int?,
        to request: RequestHead,
        _ time: (requestedAt: Int, receivedAt: Int),
        _ weights: AnswerWeights
    ) {
        var fields = fields
        isModificationStrong = CacheRules.isModificationStrong(fields, receivedAt: time.receivedAt)
        // Who is given it later must not take it for one of then (RFC 9110 §6.6.1).
        if !fields.contains("date") { fields.append("Date", HTTPDate.format(unixSeconds: time.receivedAt)) }
        self.status = status
        self.fields = fields
        self.length = length
        self.weights = weights
        freshness = Freshness(fields, requestedAt: time.requestedAt, receivedAt: time.receivedAt)
        vary = CacheVariant(fields, of: request)
        weigh()
    }

    isolated deinit { weights.bytes -= weight }

    /// Tells what its body takes up, from the beginning all that it is going to.
    private func weigh() {
        let before = weight
        weight = max(length ?? 0, body.count)
        if weight != before { weights.bytes += weight - before }
    }

    /// Whether a request asks for the same as the one that this answered.
    func answers(_ request: RequestHead) -> Bool { vary == CacheVariant(vary.names, of: request) }

    /// What it weighs.
    var bytes: Int {
        (length ?? body.count) + vary.byteCount
            + fields.reduce(256) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 }
    }

    // MARK: Filling

    func append(_ bytes: Span<UInt8>) {
        body.append(copying: bytes)
        tellReaders()
    }

    /// Nothing more comes. Those who read learn it by ``tellReaders()``.
    func end(_ progress: Progress) { self.progress = progress }

    func tellReaders() {
        for reader in readers.takeAll() { reader(()) }
    }

    /// It will not be kept.
    func detach() { isDetached = true }

    /// Its only reader has written so many bytes of a body that is not kept.
    func dropRead(upTo position: Int) {
        readBytes = position
        guard isDetached else { return }
        // Half at a time, so that each byte is moved at most once on average.
        if (position - droppedBytes) * 2 >= body.count {
            body.removeFirst(position - droppedBytes)
            droppedBytes = position
        }
        if unreadBytes < Self.windowBytes { onRead.take()?() }
    }

    private var unreadBytes: Int { droppedBytes + body.count - readBytes }

    /// Whether a body that is not kept must wait for its reader, who then is told of by a call.
    func whenRoom(_ then: @escaping @ReactorActor () -> Void) -> Bool {
        guard isDetached, unreadBytes >= Self.windowBytes else { return false }
        onRead = then
        return true
    }

    /// Calls once when there is more, or no more comes.
    ///
    /// - Returns: For ``leave(_:)``.
    func whenMore(_ then: @escaping @ReactorActor () -> Void) -> Int { readers.add { _ in then() } }

    /// Does not call any more.
    func leave(_ number: Int) { readers.remove(number) }

    // MARK: Validation

    /// The same body with what a 304 says of it (RFC 9111 §3.2); how long the body is and how it is coded stays.
    /// Another answer, because what was said to one client may be for that one alone.
    func freshened(
        by update: HTTPFields,
        to request: RequestHead,
        requestedAt: Int,
        receivedAt: Int
    ) -> CachedAnswer {
        var merged = fields
        let taken = update.filter { !Self.describesBody.contains($0.name.lowercased()) }
        for name in ["age", "date"] + taken.map(\.name) { merged.remove(name) }
        for field in taken { merged.append(field.name, field.value) }
        let answer = CachedAnswer(status, merged, body.count, to: request, (requestedAt, receivedAt), weights)
        answer.body = body
        answer.isModificationStrong = isModificationStrong && merged["last-modified"] == fields["last-modified"]
        answer.end(.complete)
        return answer
    }

    /// Whether a 304 is about this answer and no other (RFC 9111 §4.3.4): by its tag, or by its time where it has none,
    /// or because it says neither. Tags are compared weakly: who compresses may have made that of the answer weak, and
    /// not that of the 304.
    func isMeant(by update: HTTPFields) -> Bool {
        if let tag = update["etag"], let own = fields["etag"] {
            return ClientConditions.weak(tag[...]) == ClientConditions.weak(own[...])
        }
        return update["last-modified"] == fields["last-modified"]
            || !update.contains("etag") && !update.contains("last-modified")
    }

    /// What asks an upstream whether it is still right; nil if it has nothing to ask with.
    var conditions: HTTPFields? {
        var conditions = HTTPFields()
        if let tag = fields["etag"] { conditions.append("If-None-Match", tag) }
        if let time = fields["last-modified"] { conditions.append("If-Modified-Since", time) }
        return conditions.isEmpty ? nil : conditions
    }

    private static let describesBody: Set = ["content-encoding", "content-length", "content-range"]

    // MARK: Giving

    /// The fields for a client, with its age.
    func fields(now: Int) -> HTTPFields {
        if let served, served.second == now { return served.fields }
        var aged = fields
        aged["Age"] = "\(freshness.age(now: now))"
        served = (now, aged)
        return aged
    }
}

/// What all answers weigh that are somewhere: kept, on their way, or with a client that is slower than the cache.
@ReactorActor
final class AnswerWeights {
    var bytes = 0
}
