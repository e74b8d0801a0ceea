/// An event of somebody else's stream.
public struct ReceivedEvent: Hashable, Sendable {
    /// `message` if it says none.
    public let type: String
    /// That of the last event that had one.
    public let id: String
    /// Its lines, with a line feed between two.
    public let data: [UInt8]
}

/// Reads a stream of server-sent events. Pure.
///
/// - SeeAlso: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>
struct ServerSentEventReader {
    /// An event, or a line of it, is longer than is kept.
    struct TooLong: Error, Hashable {}

    private static let bytesMax = 64 * 1024

    private var line: [UInt8] = []
    private var endsWithCarriageReturn = false
    private var type = ""
    private var id = ""
    private var data: [UInt8] = []

    /// Takes the next bytes; calls `then` with each event that is complete with them.
    mutating func read(_ bytes: Span<UInt8>, _ then: (ReceivedEvent) -> Void) throws(TooLong) {
        for index in bytes.indices {
            let byte = bytes[index]
            let isSecondOfEnd = byte == UInt8(ascii: "\n") && endsWithCarriageReturn
            endsWithCarriageReturn = byte == UInt8(ascii: "\r")
            if isSecondOfEnd { continue }
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
                lineEnded(then)
            } else {
                guard line.count + data.count < Self.bytesMax else { throw TooLong() }
                line.append(byte)
            }
        }
    }

    private mutating func lineEnded(_ then: (ReceivedEvent) -> Void) {
        defer { line.removeAll(keepingCapacity: true) }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            return line.isEmpty ? eventEnded(then) : field(line[...], [])
        }
        let value = line[(colon + 1)...]
        field(line[..<colon], value.first == UInt8(ascii: " ") ? value.dropFirst() : value)
    }

    private mutating func field(_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) {
        switch String(decoding: name, as: UTF8.self) {
        case "event": type = String(decoding: value, as: UTF8.self)
        case "id" where !value.contains(0): id = String(decoding: value, as: UTF8.self)
        case "data":
            data += value
            data.append(UInt8(ascii: "\n"))
        default: break
        }
    }

    private mutating func eventEnded(_ then: (ReceivedEvent) -> Void) {
        defer { (type, data) = ("", []) }
        guard !data.isEmpty else { return }
        then(ReceivedEvent(type: type.isEmpty ? "message" : type, id: id, data: data.dropLast()))
    }
}

extension ReceivedEvent {
    fileprivate init(type: String, id: String, data: ArraySlice<UInt8>) {
        self.init(type: type, id: id, data: Array(data))
    }
}
