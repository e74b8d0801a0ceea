// What heads say again and again, checked and put together once.

/// The name of a field, with the colon behind it.
public struct FieldName: Sendable {
    /// The name alone.
    public let text: String
    let bytes: [UInt8]

    /// - Parameter text: A token (RFC 9110 §5.6.2); traps on anything else.
    public init(_ text: String) {
        precondition(!text.isEmpty && text.utf8.allSatisfy(ASCII.isToken), "a field name is a token")
        self.text = text
        bytes = Array("\(text): ".utf8)
    }
}

/// A field line.
public struct FieldLine: Sendable {
    let bytes: [UInt8]

    /// - Parameter value: Traps if it could end the line.
    public init(_ name: String, _ value: String) {
        var bytes: [UInt8] = []
        HeadWriter.appendField(FieldName(name), to: &bytes) { $0.append(utf8: value) }
        self.bytes = bytes
    }

    /// Whom a request is for (RFC 9110 §7.2).
    ///
    /// - Parameter authority: `host` or `host:port`; traps on anything else.
    public static func host(_ authority: String) -> FieldLine {
        precondition(HeadWriter.isAuthority(authority), "not a host with a port")
        return FieldLine("Host", authority)
    }
}
