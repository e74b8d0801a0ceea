internal import CMeasure
internal import Glibc

/// The client and the next hop of a gateway, in lock-step on one thread: one request is under way at a time, so that
/// the gateway does the same for each, whatever else the machine does.
///
/// Its sockets block, and what it allocates is not counted.
final class Surroundings: @unchecked Sendable {
    private let folder: String
    private let request: [UInt8]
    private let response: [UInt8]
    private let status: [UInt8]
    private var listener: CInt = -1
    private var client: CInt = -1
    private var upstream: CInt = -1
    private var buffer = [UInt8](repeating: 0, count: 64 * 1024)

    /// The settings of a gateway between these two.
    let configuration: String

    init(_ traffic: Traffic) {
        folder = makeFolder()
        request = Array(Example.get(traffic.target).utf8)
        response = Array(traffic.isKept ? Example.keptResponse.utf8 : Example.response.utf8)
        status = Array("HTTP/1.1 \(traffic.status) ".utf8)
        var port: CInt = 0
        listener = unsafe traffic.isProxied ? measure_listen_on_loopback(&port) : measure_listen("\(folder)/api")
        precondition(listener >= 0, "cannot listen for \(folder): \(errno)")
        configuration = """
            [server]
            listen = ["unix:\(folder)/gateway"]
            [upstream]
            address = "unix:\(folder)/api"
            [cache]
            average_ttl_ms = \(traffic.cacheMilliseconds)
            [logging]
            level = "error"
            [[proxy]]
            prefix = "/proxied/"
            upstreams = ["http://127.0.0.1:\(traffic.isProxied ? port : 9)"]
            cache = \(traffic.isKept)
            """
    }

    /// Connects as soon as the gateway listens.
    func connect() {
        for _ in 0..<10_000 {
            client = unsafe measure_connect("\(folder)/gateway")
            if client >= 0 { return }
            usleep(1000)
        }
        preconditionFailure("the gateway does not listen in \(folder)")
    }

    /// One request, and what it causes.
    func exchange(isForwarded: Bool) {
        send(request, to: client)
        if isForwarded {
            if upstream < 0 { upstream = accept(listener, nil, nil) }
            receive(from: upstream) { $0.suffix(4).elementsEqual("\r\n\r\n".utf8) }
            send(response, to: upstream)
        }
        // Answers of this size are written in one piece, and a Unix-domain socket passes pieces on whole.
        receive(from: client) { $0.starts(with: status) }
    }

    func remove() {
        for name in ["gateway", "api"] { unsafe unlink("\(folder)/\(name)") }
        unsafe rmdir(folder)
    }

    private func send(_ bytes: [UInt8], to descriptor: CInt) {
        let sent = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        precondition(sent == bytes.count, "sent \(sent) of \(bytes.count) bytes: \(errno)")
    }

    private func receive(from descriptor: CInt, isRight: (ArraySlice<UInt8>) -> Bool) {
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
        precondition(count > 0, "the gateway closed the connection: \(errno)")
        let received = buffer[..<count]
        precondition(isRight(received), "not what was expected: \(String(decoding: received, as: UTF8.self))")
    }
}
