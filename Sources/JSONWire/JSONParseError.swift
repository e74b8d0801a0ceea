/// Why a text is not JSON, or not JSON that we take, and where.
public struct JSONParseError: Error, Hashable, Sendable {
    /// What is wrong at the offset.
    public enum Reason: Hashable, Sendable {
        /// The text is longer than the caller allows.
        case tooLong(limitBytes: Int)
        /// Objects and arrays are nested deeper than the caller allows.
        case tooDeep(limit: Int)
        /// The text ends in the middle of a value, or is empty.
        case endsEarly
        /// A byte that no value may have here.
        case unexpectedByte(UInt8)
        /// Something follows the value.
        case trailingBytes
        /// A number that is not written as RFC 8259 §6 wants it.
        case malformedNumber
        /// A number with a fraction or an exponent, or beyond `Int`, where a whole one is read.
        case notAnInteger
        /// A control character that is not escaped.
        case controlCharacter
        /// A backslash sequence that does not exist.
        case unknownEscape
        /// Half of a UTF-16 surrogate pair: it is no character and has no UTF-8.
        case loneSurrogate
        /// Bytes that are not UTF-8.
        case invalidUTF8
        /// The object already has a member of this name; which of the two counts would be a guess.
        case duplicateName
    }

    /// What is wrong.
    public let reason: Reason
    /// Where, as a count of bytes before it.
    public let byteOffset: Int

    /// Describes a fault.
    public init(_ reason: Reason, at byteOffset: Int) {
        self.reason = reason
        self.byteOffset = byteOffset
    }
}

extension JSONParseError: CustomStringConvertible {
    /// One clause for an error message; it quotes nothing of the text.
    public var description: String { "\(reason) at byte \(byteOffset)" }
}

extension JSONParseError.Reason: CustomStringConvertible {
    /// Safe for a response and a log line: bounded, and free of payload.
    public var description: String {
        switch self {
        case .tooLong(let limitBytes): "longer than \(limitBytes) bytes"
        case .tooDeep(let limit): "nested deeper than \(limit) levels"
        case .endsEarly: "ends early"
        case .unexpectedByte: "unexpected byte"
        case .trailingBytes: "more after the value"
        case .malformedNumber: "malformed number"
        case .notAnInteger: "not a whole number in range"
        case .controlCharacter: "control character in a string"
        case .unknownEscape: "unknown escape in a string"
        case .loneSurrogate: "lone surrogate in a string"
        case .invalidUTF8: "invalid UTF-8"
        case .duplicateName: "duplicate member name"
        }
    }
}

/// How large a text a parser takes.
public struct JSONLimits: Hashable, Sendable {
    /// Longest text, in bytes.
    public let bytes: Int
    /// Most objects and arrays inside one another; the reader recurses, so this also bounds its stack.
    public let depth: Int

    /// - Parameters:
    ///   - bytes: Longest text, in bytes.
    ///   - depth: Most objects and arrays inside one another, 1 to 512.
    public init(bytes: Int, depth: Int = 64) {
        precondition((1...512).contains(depth), "a depth of \(depth) is outside 1...512")
        self.bytes = bytes
        self.depth = depth
    }
}
