/// The largest message that a parser accepts.
///
/// Every field is a bound on memory that a stranger can claim.
public struct HTTPLimits: Hashable, Sendable {
    /// Largest head (start line and fields with their line ends), and largest trailer section, in bytes.
    public var headBytes: Int
    /// Largest request target, in bytes.
    public var targetBytes: Int
    /// Most field lines in a head or a trailer section.
    public var fieldCount: Int
    /// Largest body, in bytes, without chunk framing.
    ///
    /// `Int.max` where the body is streamed on.
    public var bodyBytes: Int

    /// Takes the defaults of the project; traps on limits that no real message fits in.
    ///
    /// - Parameter headBytes: At most 1 GiB, because field positions are kept in 32 bits.
    public init(
        headBytes: Int = 16 * 1024,
        targetBytes: Int = 8 * 1024,
        fieldCount: Int = 100,
        bodyBytes: Int = 1024 * 1024
    ) {
        precondition((64...1 << 30).contains(headBytes), "no real head fits in \(headBytes) bytes")
        precondition(targetBytes > 0, "a target has at least one byte")
        precondition(fieldCount > 0, "a request has at least its Host field")
        precondition(bodyBytes >= 0, "a body limit is not negative")
        self.headBytes = headBytes
        self.targetBytes = targetBytes
        self.fieldCount = fieldCount
        self.bodyBytes = bodyBytes
    }

    /// Longest chunk-size line with its extensions, in bytes.
    ///
    /// Real ones have about 5; nobody has been seen using extensions, which only serve to make a server read much for
    /// little (RFC 9112 §7.1.1).
    static let chunkLineBytes = 256

    /// Most bytes of chunk extensions in one body.
    static let chunkExtensionBytes = 4096
}
