/// A media type, as `Content-Type` says it (RFC 9110 §8.3.1): `application/json; charset=utf-8`.
public struct MediaType: Hashable, Sendable {
    /// A name and its value behind a semicolon: `charset=utf-8`.
    public struct Parameter: Hashable, Sendable {
        /// In lower-case letters.
        public let name: String
        /// Without the quotation marks that it may have had.
        public let value: String
    }

    /// Type and subtype, in lower-case letters.
    public let essence: String
    /// What follows, in order.
    public let parameters: [Parameter]

    /// Reads the value of a field; nil if it is none of this form.
    public init?(_ value: String) {
        var parts = Self.parts(value)
        let essence = parts.removeFirst().lowercased()
        let words = essence.split(separator: "/", omittingEmptySubsequences: false)
        guard words.count == 2, words.allSatisfy(Self.isToken) else { return nil }
        var parameters: [Parameter] = []
        for part in parts where !part.isEmpty {
            guard let equals = part.firstIndex(of: "="), Self.isToken(part[..<equals]),
                let text = Self.unquoted(part[part.index(after: equals)...])
            else { return nil }
            parameters.append(Parameter(name: part[..<equals].lowercased(), value: text))
        }
        self.essence = essence
        self.parameters = parameters
    }

    /// What stands between semicolons that are not quoted, without the white space around it.
    private static func parts(_ value: String) -> [Substring] {
        var parts: [Substring] = []
        var start = value.startIndex
        var (isQuoted, isEscaped) = (false, false)
        for index in value.indices {
            switch value[index] {
            case _ where isEscaped: isEscaped = false
            case "\\": isEscaped = isQuoted
            case "\"": isQuoted.toggle()
            case ";" where !isQuoted:
                parts.append(trimmed(value[start..<index]))
                start = value.index(after: index)
            default: break
            }
        }
        return parts + [trimmed(value[start...])]
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }

    private static func isToken(_ text: Substring) -> Bool { !text.isEmpty && text.utf8.allSatisfy(ASCII.isToken) }

    /// A token, or the inside of a quoted string; nil for anything else.
    private static func unquoted(_ text: Substring) -> String? {
        guard text.first == "\"" else { return isToken(text) ? String(text) : nil }
        guard text.count >= 2, text.last == "\"" else { return nil }
        var (value, isEscaped) = ("", false)
        for character in text.dropFirst().dropLast() {
            switch character {
            case _ where isEscaped:
                value.append(character)
                isEscaped = false
            case "\\": isEscaped = true
            case "\"": return nil
            default: value.append(character)
            }
        }
        return isEscaped ? nil : value
    }
}
