/// Why bytes were refused as an HTTP message.
///
/// Nothing is guessed: a message that two parsers could read differently is refused, because a gateway that guesses
/// lets requests be smuggled past it (RFC 9112 §11.2). The error is final for its connection: where the next message
/// would start is not known any more.
///
/// An error in a head means that nothing of the message was delivered. One in a body (`malformedChunk`,
/// `bodyTooLarge`, `prematureEnd`) may come after the head and a part of the body were.
public enum HTTPParseError: Error, Hashable, Sendable {
    /// Not `method SP target SP version`, or a method that is not a token of at most 32 bytes.
    case malformedRequestLine
    /// A target that is in none of the four forms of RFC 9112 §3.2, or in one that does not fit the method.
    case malformedTarget
    /// The method `CONNECT`: this server is no tunnel.
    case connectRefused
    /// The target, or a request line without an end, is longer than the limit.
    case targetTooLong(limitBytes: Int)
    /// Not `version SP status`, or a status outside 100...599.
    case malformedStatusLine
    /// `HTTP/` with a major version other than 1.
    case unsupportedVersion
    /// A head or trailer section is longer than the limit.
    case headTooLarge(limitBytes: Int)
    /// A head or trailer section has more lines than the limit.
    case tooManyFields(limit: Int)
    /// A header or trailer line that is not `name ":" value CRLF`: space in or after the name, a folded line, a lone CR
    /// or LF, NUL or another control in the value.
    case malformedField
    /// No `Host`, more than one, or one that is not a host with an optional port (RFC 9112 §3.2).
    case invalidHost
    /// `Content-Length` is not one number of decimal digits (RFC 9112 §6.3 rule 5), or it is repeated.
    case invalidContentLength
    /// Both `Content-Length` and `Transfer-Encoding`, or a `Transfer-Encoding` that is repeated or in HTTP/1.0.
    case ambiguousFraming
    /// A `Transfer-Encoding` other than `chunked`.
    case unsupportedTransferCoding
    /// An `Expect` other than `100-continue`.
    case unsupportedExpectation
    /// The body is, or says that it will be, longer than the limit.
    case bodyTooLarge(limitBytes: Int)
    /// A chunk size, chunk extension or chunk end that is not as RFC 9112 §7.1 wants it.
    case malformedChunk
    /// The connection ended inside a message.
    case prematureEnd
    /// A response that no request asked for: bytes on an idle connection, a switch of protocols, endless interim ones.
    case unexpectedResponse
}

extension HTTPParseError {
    /// The status that tells a client of a refused request.
    ///
    /// In a response these errors are the upstream's fault; a gateway answers 502 to all of them.
    public var status: HTTPStatus {
        switch self {
        case .malformedRequestLine, .malformedTarget, .malformedStatusLine, .malformedField, .invalidHost,
            .invalidContentLength, .ambiguousFraming, .malformedChunk, .prematureEnd, .unexpectedResponse:
            .badRequest
        case .connectRefused: .methodNotAllowed
        case .bodyTooLarge: .contentTooLarge
        case .targetTooLong: .uriTooLong
        case .unsupportedExpectation: .expectationFailed
        case .headTooLarge, .tooManyFields: .requestHeaderFieldsTooLarge
        case .unsupportedTransferCoding: .notImplemented
        case .unsupportedVersion: .httpVersionNotSupported
        }
    }
}

extension HTTPParseError: CustomStringConvertible {
    /// One sentence for a person, free of anything that the other side sent.
    public var description: String {
        switch self {
        case .malformedRequestLine: "The request line is malformed"
        case .malformedTarget: "The request target is malformed"
        case .connectRefused: "CONNECT is not supported"
        case .targetTooLong(let limit): "The request target is longer than \(limit) bytes"
        case .malformedStatusLine: "The status line is malformed"
        case .unsupportedVersion: "The HTTP version is not supported"
        case .headTooLarge(let limit): "The header section is larger than \(limit) bytes"
        case .tooManyFields(let limit): "The header section has more than \(limit) fields"
        case .malformedField: "A header field is malformed"
        case .invalidHost: "Exactly one valid Host field is required"
        case .invalidContentLength: "The Content-Length is not one decimal number"
        case .ambiguousFraming: "The length of the body is ambiguous"
        case .unsupportedTransferCoding: "The Transfer-Encoding is not supported"
        case .unsupportedExpectation: "The Expect field asks for something other than 100-continue"
        case .bodyTooLarge(let limit): "The body is larger than \(limit) bytes"
        case .malformedChunk: "The chunked body is malformed"
        case .prematureEnd: "The connection ended before the message was complete"
        case .unexpectedResponse: "A response arrived that no request asked for"
        }
    }
}
