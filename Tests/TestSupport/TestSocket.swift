import Glibc
public import Reactor

/// A client's end of a connection, for tests that care about every byte.
@ReactorActor
public final class TestSocket {
    /// Everything received and not yet taken.
    public private(set) var received: [UInt8] = []
    /// Whether the other side has finished sending, or the connection broke.
    public private(set) var isEnded = false
    /// Whether it ended by a reset instead of an orderly close.
    public private(set) var isReset = false

    private let descriptor: CInt
    private var socket: FileDescriptor?
    private var watcher: IOWatcher?
    private var unsent: [UInt8] = []
    private var isReading = true

    /// Connects, and returns when the connection stands. Names are not looked up.
    public init(to endpoint: Endpoint) async throws {
        let addresses = try await Resolver.resolve(endpoint)
        let socket = try Sockets.connect(to: addresses[0])
        descriptor = socket.number
        let connected = Promise<Void, Never>()
        let watcher = IOWatcher(descriptor: descriptor, for: .write) { _ in connected.succeed(()) }
        _ = await connected.result
        watcher.stop()
        if let error = Sockets.pendingError(descriptor) { throw error }
        self.socket = consume socket
        startReading()
    }

    /// Takes a connection that was accepted.
    init(accepted socket: consuming FileDescriptor) {
        descriptor = socket.number
        self.socket = consume socket
        startReading()
    }

    private func startReading() {
        watcher = IOWatcher(descriptor: descriptor, for: .read) { [unowned self] readiness in
            if readiness.contains(.write) { flush() }
            if readiness.contains(.read) { read() }
        }
    }

    /// Sends text; what the other side does not take now is sent as it does.
    public func send(_ text: String) { send(Array(text.utf8)) }

    /// Sends bytes; what the other side does not take now is sent as it does.
    public func send(_ bytes: [UInt8]) {
        unsent += bytes
        flush()
    }

    /// Whether everything was handed to the kernel.
    public var isSent: Bool { unsent.isEmpty }

    /// Says that nothing more will be sent.
    public func finishSending() { Sockets.shutdownWrite(descriptor) }

    /// Stops reading, so that the other side finds no room; or reads again.
    public func setReading(_ isReading: Bool) {
        self.isReading = isReading
        updateWatcher()
    }

    /// Waits until at least `count` bytes are there, and takes them.
    public func take(_ count: Int) async throws -> [UInt8] {
        try await eventually("\(count) bytes") { received.count >= count || isEnded }
        guard received.count >= count else { throw TestFailure(description: "the connection ended: \(text)") }
        defer { received.removeFirst(count) }
        return Array(received.prefix(count))
    }

    /// Waits until the mark is there, and takes everything up to and with it.
    public func take(through mark: String) async throws -> String {
        var length: Int?
        try await eventually("\(mark.debugDescription)") {
            length = endOfFirst(Array(mark.utf8))
            return length != nil || isEnded
        }
        guard let length else { throw TestFailure(description: "the connection ended: \(text)") }
        return String(decoding: try await take(length), as: UTF8.self)
    }

    /// Waits until the other side has closed, and takes everything that came.
    public func takeAll() async throws -> String {
        try await eventually("the end of the connection") { isEnded }
        defer { received.removeAll() }
        return text
    }

    /// Takes what is there.
    public func takeReceived() -> [UInt8] {
        defer { received = [] }
        return received
    }

    /// Closes at once, whatever is unread or unsent.
    public func close() {
        end()
        socket = nil
    }

    /// Ends the connection with a reset, as a crash of the client does.
    public func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    private var text: String { String(decoding: received, as: UTF8.self) }

    private func endOfFirst(_ mark: [UInt8]) -> Int? {
        guard received.count >= mark.count else { return nil }
        return (0...(received.count - mark.count))
            .first { received[$0..<($0 + mark.count)].elementsEqual(mark) }
            .map { $0 + mark.count }
    }

    private func read() {
        var block = [UInt8](repeating: 0, count: 64 * 1024)
        switch unsafe block.withUnsafeMutableBytes({ unsafe Sockets.read(descriptor, into: $0) }) {
        case .bytes(let count): received += block[..<count]
        case .wouldBlock: break
        case .endOfStream: end()
        case .failed:
            isReset = true
            end()
        }
    }

    private func flush() {
        while !unsent.isEmpty, !isEnded {
            switch unsafe unsent.withUnsafeBytes({ unsafe Sockets.write(descriptor, $0) }) {
            case .bytes(let count): unsent.removeFirst(count)
            case .wouldBlock: return updateWatcher()
            case .endOfStream: return
            // What the other side said before it closed may still be unread.
            case .failed: unsent.removeAll()
            }
        }
        updateWatcher()
    }

    private func updateWatcher() {
        guard let watcher, !isEnded else { return }
        var interest: Readiness = isReading ? .read : []
        if !unsent.isEmpty { interest.insert(.write) }
        if interest.isEmpty { watcher.stop() } else { watcher.watch(for: interest) }
    }

    private func end() {
        isEnded = true
        watcher = nil
    }
}
