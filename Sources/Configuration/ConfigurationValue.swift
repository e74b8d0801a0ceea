/// A value as it stands in a file or in the environment, before a key gives it a meaning.
public enum ConfigurationValue: Hashable, Sendable {
    case integer(Int)
    case number(Double)
    case boolean(Bool)
    case string(String)
    case strings([String])
    case map([String: String])

    /// The type of a value, as TOML has it.
    public enum Kind: Sendable {
        case integer, number, boolean, string, strings, map
    }

    /// Reads a value from the text of an environment variable.
    ///
    /// A list is separated by commas; an empty text is the empty list. A map is an inline table, as in a file.
    ///
    /// - Returns: `nil` when the text is not of that kind.
    init?(text: String, kind: Kind) {
        switch kind {
        case .integer:
            guard let value = Int(text) else { return nil }
            self = .integer(value)
        case .number:
            guard let value = Double(text), value.isFinite else { return nil }
            self = .number(value)
        case .boolean:
            guard let value = Bool(text) else { return nil }
            self = .boolean(value)
        case .string:
            self = .string(text)
        case .strings:
            let items = text.split(separator: ",", omittingEmptySubsequences: text.isEmpty)
            self = .strings(items.map { $0.trimmingSpaces })
        case .map:
            self.init(inlineTable: text)
        }
    }

    /// True for `""`, which says that an optional text is not given.
    var isEmptyText: Bool { self == .string("") }
}

extension ConfigurationValue: CustomStringConvertible {
    /// The value as TOML.
    public var description: String {
        switch self {
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .boolean(let value): String(value)
        case .string(let value): Self.quoted(value)
        case .strings(let values): "[\(values.map(Self.quoted).joined(separator: ", "))]"
        case .map(let pairs) where pairs.isEmpty: "{}"
        case .map(let pairs):
            "{ "
                + pairs.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key)) = \(Self.quoted($0.value))" }
                .joined(separator: ", ") + " }"
        }
    }

    /// A basic string of TOML 1.0.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16, uppercase: true)
                quoted += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        var rest = self
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return String(rest)
    }
}
