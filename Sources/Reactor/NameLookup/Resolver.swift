// The system's socket types count as members of whichever C module the compiler reads first, hence all of them.
internal import CCares
internal import CLibev
internal import CLinux
internal import Glibc

/// Why a name has no address.
public enum ResolutionError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name does not exist, or has no address.
    case notFound
    /// No name server answered within the time given.
    case timedOut
    /// The resolver failed otherwise; c-ares' status code.
    case failed(status: CInt)

    /// Safe for a log line and for a metric label.
    public var description: String {
        switch self {
        case .notFound: "host not found"
        case .timedOut: "name resolution timed out"
        case .failed: "name resolution failed"
        }
    }
}

/// Turns names into addresses without blocking the loop: c-ares on the loop's own watchers.
///
/// libpq and hiredis would call the blocking `getaddrinfo` when given a name; whoever connects resolves here first.
@ReactorActor
public enum Resolver {
    /// The addresses of `endpoint`, in the order in which to try them (RFC 6724); never empty.
    ///
    /// A numeric address and a Unix-domain path answer at once; a name is looked up in `/etc/hosts`, then in the DNS,
    /// each time anew, because lookups happen when connections are made, not on a request's path.
    public static func resolve(
        _ endpoint: Endpoint,
        within limit: Duration = .seconds(5)
    ) async throws(ResolutionError) -> [SocketAddress] {
        try await resolve(endpoint, within: limit, nameServer: nil)
    }

    /// - Parameter nameServer: `ADDRESS:PORT` of who is asked in the place of the servers in `resolv.conf`.
    static func resolve(
        _ endpoint: Endpoint,
        within limit: Duration,
        nameServer: String?
    ) async throws(ResolutionError) -> [SocketAddress] {
        switch endpoint {
        case .unix(let path):
            return [.unix(path: path)]
        case .tcp(let host, let port):
            if let numeric = SocketAddress(numericHost: host, port: port) { return [numeric] }
            let lookup = try Lookup(within: limit, nameServer: nameServer)
            // Not in the callback: c-ares forbids to destroy a channel from inside it.
            defer { lookup.close() }
            return try await lookup.run(host: host, port: port)
        }
    }
}

/// One question to the name servers, with a c-ares channel of its own so that it reads the current `resolv.conf`.
@ReactorActor
@safe private final class Lookup {
    private let answer = Promise<[SocketAddress], ResolutionError>()
    private let limit: Duration
    private var channel: ares_channel?
    private var watchers: [CInt: IOWatcher] = [:]
    private var retryTimer: Timer?
    private var deadlineTimer: Timer?

    init(within limit: Duration, nameServer: String?) throws(ResolutionError) {
        self.limit = limit
        guard ares_library_init(CInt(ARES_LIB_INIT_ALL)) == ARES_SUCCESS else {
            throw .failed(status: ARES_ENOTINITIALIZED)
        }
        var options = unsafe ares_options()
        unsafe options.sock_state_cb = socketStateChanged
        // Not retained: `close` destroys the channel, and whoever awaits `run` holds this object until then.
        unsafe options.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
        // A datagram may be lost. By default c-ares asks again after five seconds, when our callers have given up. With
        // these it asks after 0.4, 1.2 and 2.8 s and gives up after 6 s: it doubles the time with each try.
        unsafe options.timeout = 400
        unsafe options.tries = 4
        let mask = ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES
        var status = unsafe ares_init_options(&channel, &options, CInt(mask))
        if status == ARES_SUCCESS, let nameServer {
            status = unsafe ares_set_servers_ports_csv(channel, nameServer)
        }
        guard status == ARES_SUCCESS else { throw .failed(status: status) }
    }

    func run(host: String, port: UInt16) async throws(ResolutionError) -> [SocketAddress] {
        let deadlineTimer = Timer { [answer] in answer.fail(.timedOut) }
        deadlineTimer.schedule(after: limit)
        self.deadlineTimer = deadlineTimer
        // c-ares asks to be called now and then so that it can send a question again.
        let retryTimer = Timer { [unowned self] in unsafe ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD) }
        retryTimer.scheduleRepeating(every: .milliseconds(250))
        self.retryTimer = retryTimer

        var hints = ares_addrinfo_hints()
        hints.ai_flags = CInt(ARES_AI_NUMERICSERV)
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        unsafe ares_getaddrinfo(
            channel,
            host,
            String(port),
            &hints,
            addressesFound,
            Unmanaged.passUnretained(self).toOpaque()
        )
        return try await answer.value
    }

    func close() {
        deadlineTimer?.cancel()
        retryTimer?.cancel()
        watchers = [:]
        guard let channel = unsafe channel else { return }
        unsafe self.channel = nil
        unsafe ares_destroy(channel)
    }

    func socket(_ descriptor: CInt, wants interest: Readiness) {
        guard !interest.isEmpty else {
            watchers[descriptor] = nil
            return
        }
        if let watcher = watchers[descriptor] { return watcher.watch(for: interest) }
        watchers[descriptor] = IOWatcher(descriptor: descriptor, for: interest) { [unowned self] ready in
            unsafe ares_process_fd(
                channel,
                ready.contains(.read) ? descriptor : ARES_SOCKET_BAD,
                ready.contains(.write) ? descriptor : ARES_SOCKET_BAD
            )
        }
    }

    func finished(status: CInt, addresses: [SocketAddress]) {
        switch status {
        case ARES_SUCCESS where !addresses.isEmpty: answer.succeed(addresses)
        case ARES_SUCCESS, ARES_ENODATA, ARES_ENOTFOUND: answer.fail(.notFound)
        case ARES_ETIMEOUT: answer.fail(.timedOut)
        default: answer.fail(.failed(status: status))
        }
    }
}

/// c-ares opened or closed a socket, or waits for something else on it.
nonisolated private func socketStateChanged(
    context: UnsafeMutableRawPointer?,
    descriptor: ares_socket_t,
    readable: CInt,
    writable: CInt
) {
    guard let context = unsafe context else { preconditionFailure("c-ares lost its context") }
    let lookup = unsafe Unmanaged<Lookup>.fromOpaque(context).takeUnretainedValue()
    var interest: Readiness = []
    if readable != 0 { interest.insert(.read) }
    if writable != 0 { interest.insert(.write) }
    ReactorActor.assumeIsolated { lookup.socket(descriptor, wants: interest) }
}

/// The answer, called exactly once; with `ARES_EDESTRUCTION` when the channel is destroyed first.
nonisolated private func addressesFound(
    context: UnsafeMutableRawPointer?,
    status: CInt,
    _: CInt,
    result: UnsafeMutablePointer<ares_addrinfo>?
) {
    guard let context = unsafe context else { preconditionFailure("c-ares lost its context") }
    let lookup = unsafe Unmanaged<Lookup>.fromOpaque(context).takeUnretainedValue()
    var addresses: [SocketAddress] = []
    if let result = unsafe result {
        var node = unsafe result.pointee.nodes
        while let current = unsafe node {
            if let address = unsafe current.pointee.ai_addr,
                let known = unsafe SocketAddress(address, length: current.pointee.ai_addrlen)
            {
                addresses.append(known)
            }
            unsafe node = current.pointee.ai_next
        }
        unsafe ares_freeaddrinfo(result)
    }
    ReactorActor.assumeIsolated { lookup.finished(status: status, addresses: addresses) }
}
