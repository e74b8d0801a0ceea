internal import JSONWire
internal import Logging

/// The form of a log line.
public enum LogFormat: String, CaseIterable, Sendable {
    /// One JSON object a line, for programs.
    case json
    /// `TIME LEVEL SERVICE MESSAGE key=value …`, for people.
    case text
}

/// One event, ready to be written in either form.
///
/// Whatever it holds, it becomes exactly one line: control characters are escaped in both forms, so that nobody can
/// forge a line by sending a line end.
struct LogLine {
    let level: Logger.Level
    let time: Timestamp
    let service: String
    let message: String
    let metadata: Logger.Metadata

    /// The line with its end.
    func bytes(as format: LogFormat) -> [UInt8] {
        switch format {
        case .json: json
        case .text: text
        }
    }

    /// The field that ties together what all services did for one request.
    private static let requestID = "request_id"

    /// The metadata in the order of the line: the request first, then by name.
    private var fields: [(name: String, value: Logger.MetadataValue)] {
        var fields: [(name: String, value: Logger.MetadataValue)] = []
        if let id = metadata[Self.requestID] { fields.append((Self.requestID, id)) }
        for name in metadata.keys.sorted() where name != Self.requestID {
            if let value = metadata[name] { fields.append((name, value)) }
        }
        return fields
    }

    // MARK: - JSON

    private static let ownNames: Set = ["level", "time", "service", "message"]

    private var json: [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.beginObject()
        writer.member("level", level.rawValue)
        writer.key("time")
        writer.string(utf8: time.bytes)
        writer.member("service", service)
        writer.member("message", message)
        for (name, value) in fields {
            // A reader of the line must not have to choose between two members of one name.
            writer.key(Self.ownNames.contains(name) ? name + "_" : name)
            writer.metadata(value)
        }
        writer.endObject()
        var line = writer.take()
        line.append(UInt8(ascii: "\n"))
        return line
    }

    // MARK: - Text

    private var text: [UInt8] {
        var line = time.bytes
        line.append(contentsOf: " \(level.paddedName) \(service) ".utf8)
        for scalar in message.unicodeScalars {
            if scalar.properties.generalCategory == .control {
                line.append(contentsOf: scalar.escaped(asASCII: true).utf8)
            } else {
                line.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
            }
        }
        for (name, value) in fields {
            line.append(contentsOf: " \(name)=".utf8)
            line.append(contentsOf: Self.word(value))
        }
        line.append(UInt8(ascii: "\n"))
        return line
    }

    /// A value as one word: quoted, as JSON, unless it is plain.
    private static func word(_ value: Logger.MetadataValue) -> [UInt8] {
        var writer = JSONWriter()
        writer.metadata(value)
        let quoted = writer.take()
        let isString = quoted.first == UInt8(ascii: "\"")
        let inner = quoted.dropFirst().dropLast()
        let isPlain = !inner.isEmpty && inner.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\\") && $0 != 0x7F }
        return isString && isPlain ? Array(inner) : quoted
    }
}

extension JSONWriter {
    /// Writes a metadata value; numbers and flags keep their type.
    fileprivate mutating func metadata(_ value: Logger.MetadataValue) {
        switch value {
        case .string(let text): string(text)
        case .stringConvertible(let value as Int): integer(value)
        case .stringConvertible(let value as Bool): bool(value)
        case .stringConvertible(let value as Double): number(value)
        case .stringConvertible(let value): string(value.description)
        case .array(let values): array { for value in values { $0.metadata(value) } }
        case .dictionary(let members):
            object {
                for (name, value) in members.sorted(by: { $0.key < $1.key }) {
                    $0.key(name)
                    $0.metadata(value)
                }
            }
        }
    }
}

extension Logger.Level {
    /// In capitals, and as wide as the widest, so that messages stand in one column.
    fileprivate var paddedName: String {
        let name = rawValue.uppercased()
        return name + String(repeating: " ", count: 8 - name.count)
    }
}
