/// Checks what follows the first `;` behind a chunk size, byte by byte (RFC 9112 §7.1.1):
///
///     name [ "=" ( token / quoted-string ) ] *( ";" name [ "=" … ] )
///
/// The grammar's bad whitespace is taken around `;` and `=`, and not at the end of the line.
enum ChunkExtensions {
    case beforeName
    case name
    /// Behind the whitespace that followed a name.
    case afterName
    case beforeValue
    case token
    case quoted
    /// Behind the backslash in a quoted string.
    case quotedPair
    case afterQuoted
    /// Behind the whitespace that followed a value.
    case afterValue

    init() { self = .beforeName }

    /// Whether the line may end here.
    var mayEnd: Bool {
        switch self {
        case .name, .token, .afterQuoted: true
        case .beforeName, .afterName, .beforeValue, .quoted, .quotedPair, .afterValue: false
        }
    }

    /// Returns whether the byte may stand here.
    mutating func take(_ byte: UInt8) -> Bool {
        guard let next = state(after: byte) else { return false }
        self = next
        return true
    }

    private func state(after byte: UInt8) -> ChunkExtensions? {
        let isSpace = byte == ASCII.space || byte == ASCII.tab
        switch self {
        case .quoted where byte == ASCII.quote: return .afterQuoted
        case .quoted where byte == ASCII.backslash: return .quotedPair
        case .quoted, .quotedPair: return ASCII.isFieldValue(byte) ? .quoted : nil
        case .beforeName where isSpace, .beforeValue where isSpace: return self
        case .beforeName: return ASCII.isToken(byte) ? .name : nil
        case .name where ASCII.isToken(byte): return .name
        case .beforeValue where byte == ASCII.quote: return .quoted
        case .beforeValue: return ASCII.isToken(byte) ? .token : nil
        case .token where ASCII.isToken(byte): return .token
        case .name, .afterName:
            if byte == ASCII.equals { return .beforeValue }
            return byte == ASCII.semicolon ? .beforeName : isSpace ? .afterName : nil
        case .token, .afterQuoted, .afterValue:
            return byte == ASCII.semicolon ? .beforeName : isSpace ? .afterValue : nil
        }
    }
}
