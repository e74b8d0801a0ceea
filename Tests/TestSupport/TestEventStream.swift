public import Reactor

/// A client of server-sent events, which reads them as the standard says, independently of the code under test.
@ReactorActor
public final class TestEventStream {
    /// One event.
    public struct Event: Hashable, Sendable {
        /// `message` if the event has no name.
        public var type: String
        /// The last one that was given.
        public var id: String
        /// Its lines, joined.
        public var data: String
    }

    /// The response without its body.
    public let head: TestResponse
    /// Events that came and were not taken.
    public private(set) var events: [Event] = []
    /// The id of the last event that came.
    public private(set) var lastEventID = ""
    /// Comments that came.
    public private(set) var comments = 0
    /// What the server wants to be waited before the next connection, in milliseconds.
    public private(set) var retry: Int?
    /// Whether the response came to its end, and was not cut off.
    public private(set) var isComplete = false

    private let socket: TestSocket
    private var body: [UInt8] = []
    /// Bytes of the chunk that is arriving; nil between two.
    private var chunkRest: Int?
    private var line: [UInt8] = []
    private var type = ""
    private var data: [String] = []

    /// Asks for a stream; returns when the head of the answer is there.
    public init(_ target: String, on endpoint: Endpoint, lastEventID: String? = nil, token: String? = nil) async throws
    {
        socket = try await TestSocket(to: endpoint)
        let resume =
            (lastEventID.map { "Last-Event-ID: \($0)\r\n" } ?? "")
            + (token.map { "Authorization: Bearer \($0)\r\n" } ?? "")
        socket.send("GET \(target) HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\(resume)\r\n")
        head = try await socket.takeResponse(to: "HEAD")
        self.lastEventID = lastEventID ?? ""
    }

    /// Whether nothing more comes.
    public var isEnded: Bool {
        read()
        return isComplete || socket.isEnded && socket.received.isEmpty
    }

    /// Waits for the next event and takes it.
    public func next() async throws -> Event {
        try await eventually("an event") {
            read()
            return !events.isEmpty || isEnded
        }
        guard !events.isEmpty else { throw TestFailure(description: "the stream ended") }
        return events.removeFirst()
    }

    /// Takes the events that have come.
    public func takeAll() -> [Event] {
        read()
        defer { events = [] }
        return events
    }

    /// Stops reading, so that the server finds no room; or reads again.
    public func setReading(_ isReading: Bool) { socket.setReading(isReading) }

    /// Leaves.
    public func close() { socket.close() }

    private func read() {
        body += socket.takeReceived()
        var rest = body[...]
        while let byte = rest.first {
            if let left = chunkRest, left > 0 {
                let part = rest.prefix(left)
                part.forEach(took)
                rest = rest.dropFirst(part.count)
                chunkRest = left - part.count
                continue
            }
            // The end of a chunk's bytes.
            if chunkRest == 0, byte == UInt8(ascii: "\r") {
                guard rest.count >= 2 else { break }
                rest = rest.dropFirst(2)
                chunkRest = nil
                continue
            }
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { break }
            let size = String(decoding: rest[..<end].prefix { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
            rest = rest[(end + 1)...]
            chunkRest = Int(size, radix: 16)
            if chunkRest == 0 { isComplete = true }
        }
        body = Array(rest)
    }

    private func took(_ byte: UInt8) {
        guard byte == UInt8(ascii: "\n") else { return line.append(byte) }
        let text = String(decoding: line, as: UTF8.self)
        line = []
        if text.isEmpty {
            if !data.isEmpty {
                events.append(
                    Event(type: type.isEmpty ? "message" : type, id: lastEventID, data: data.joined(separator: "\n"))
                )
            }
            (type, data) = ("", [])
            return
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count < 2 ? "" : String(parts[1].hasPrefix(" ") ? parts[1].dropFirst() : parts[1])
        switch parts[0] {
        case "": comments += 1
        case "event": type = value
        case "id": lastEventID = value
        case "data": data.append(value)
        case "retry": retry = Int(value)
        default: break
        }
    }
}
