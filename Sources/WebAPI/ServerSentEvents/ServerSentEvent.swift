internal import HTTPWire

/// One event as it goes over the wire, made once for however many clients get it.
///
/// - SeeAlso: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>
public struct ServerSentEvent: Hashable, Sendable {
    /// Its lines, and the empty one that ends them.
    public let bytes: [UInt8]

    /// Makes an event.
    ///
    /// - Parameters:
    ///   - type: What clients listen for; nil for `message`.
    ///   - id: From where a client that returns wants to go on; nil leaves that as it was.
    ///   - data: Of any lines. What ends them reaches the client as a line feed each.
    public init(_ type: String? = nil, id: String? = nil, data: some Collection<UInt8>) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(48 + data.count)
        if let type { Self.append("event", type, to: &bytes) }
        if let id { Self.append("id", id, to: &bytes) }
        Self.append(data: data, to: &bytes)
        bytes.append(UInt8(ascii: "\n"))
        self.bytes = bytes
    }

    private static func append(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        precondition(!value.utf8.contains { $0 == 0 || $0 == 10 || $0 == 13 }, "\(name) is one line")
        bytes.append(utf8: name)
        bytes.append(utf8: ": ")
        bytes.append(utf8: value)
        bytes.append(UInt8(ascii: "\n"))
    }

    /// A line of its own for each: a carriage return ends one too, and together with a line feed it ends but one.
    private static func append(data: some Collection<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(utf8: "data: ")
        var previous: UInt8 = 0
        for byte in data {
            switch byte {
            case UInt8(ascii: "\n") where previous == UInt8(ascii: "\r"): break
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"): bytes.append(utf8: "\ndata: ")
            default: bytes.append(byte)
            }
            previous = byte
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    /// What nobody sees, and what keeps a silent connection from being taken for a dead one.
    static let heartbeat = Array(":\n\n".utf8)

    /// What a stream begins with, so that nobody between waits for more before it passes the head on.
    ///
    /// - Parameter retryMilliseconds: After which a client returns whose stream has ended.
    static func beginning(retryMilliseconds: Int) -> [UInt8] { Array("retry: \(retryMilliseconds)\n\n".utf8) }
}
