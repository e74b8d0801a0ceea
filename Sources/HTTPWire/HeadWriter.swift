internal import Basics

/// Writes heads behind the bytes of a buffer, so that one buffer serves a whole connection.
///
/// The fields that frame a message are written here and nowhere else: `Content-Length`, `Transfer-Encoding`,
/// `Connection` and `Keep-Alive` among the given fields are left out, so that head and body cannot disagree.
public enum HeadWriter {
    /// Writes a request line and the fields of a request in HTTP/1.1.
    ///
    /// - Parameters:
    ///   - target: In origin form, `/path?query`. Traps on a byte that cannot stand in a target.
    ///   - authority: `host` or `host:port` for the `Host` field; one among `fields` is left out.
    ///   - framing: `none`, `length` or `chunked`. A length of 0 is said, as POST wants it (RFC 9110 §8.6).
    ///   - keepsAlive: false adds `Connection: close`.
    public static func appendRequest(
        _ method: HTTPMethod,
        target: String,
        authority: String,
        fields: borrowing HTTPFields,
        framing: BodyFraming,
        keepsAlive: Bool = true,
        to buffer: inout [UInt8]
    ) {
        precondition(framing != .untilClose, "the end of a request cannot be the end of its connection")
        appendRequest(method, host: .host(authority), framing: framing, to: &buffer) {
            $0.append(utf8: target)
        } appendFields: { lines in
            append(fields, to: &lines) { $0.isWrittenForConnection || $0 == .host }
            if !keepsAlive { lines.append(utf8: "Connection: close\r\n") }
        }
    }

    /// Writes the head of a request from parts that need not be put together before.
    ///
    /// - Parameters:
    ///   - host: From ``FieldLine/host(_:)``.
    ///   - framing: `none`, `length` or `chunked`.
    ///   - appendTarget: Appends the target in origin form, `/path?query`. A byte that cannot stand in a target traps.
    ///   - appendFields: Appends the fields with ``appendField(_:to:value:)``.
    public static func appendRequest(
        _ method: HTTPMethod,
        host: FieldLine,
        framing: BodyFraming = .none,
        to buffer: inout [UInt8],
        appendTarget: (inout [UInt8]) -> Void,
        appendFields: (inout [UInt8]) -> Void
    ) {
        appendMethod(method, to: &buffer)
        let start = buffer.count
        appendTarget(&buffer)
        precondition(buffer.count > start && buffer.span.extracting(start...).isTarget, "not a request target")
        buffer.append(utf8: " HTTP/1.1\r\n")
        append(host, to: &buffer)
        appendFields(&buffer)
        appendFraming(framing, to: &buffer)
        appendLineEnd(to: &buffer)
    }

    /// Writes one field line.
    ///
    /// - Parameters:
    ///   - name: No name of a field that frames a message.
    ///   - value: Appends the value, which traps if it could end the line.
    public static func appendField(_ name: FieldName, to buffer: inout [UInt8], value: (inout [UInt8]) -> Void) {
        buffer.append(copying: name.bytes.span)
        appendValue(value, to: &buffer)
    }

    /// Writes one field line; its name is a token (RFC 9110 §5.6.2) that was checked when it came, or that a programmer
    /// wrote.
    public static func appendField(_ name: String, to buffer: inout [UInt8], value: (inout [UInt8]) -> Void) {
        buffer.append(utf8: name)
        buffer.append(utf8: ": ")
        appendValue(value, to: &buffer)
    }

    @inline(__always)
    private static func appendValue(_ value: (inout [UInt8]) -> Void, to buffer: inout [UInt8]) {
        let start = buffer.count
        value(&buffer)
        precondition(buffer.span.extracting(start...).isFieldValue, "not a field value")
        appendLineEnd(to: &buffer)
    }

    /// Writes one field line that was made before.
    public static func append(_ line: FieldLine, to buffer: inout [UInt8]) { buffer.append(copying: line.bytes.span) }

    /// Writes a status line and the fields of a response.
    ///
    /// - Parameters:
    ///   - fields: A `Date` among them is kept and stands in for `date`.
    ///   - framing: Of the body, also where the body is not sent: in an answer to HEAD. `none` writes no length.
    ///   - version: Of the request. HTTP/1.0 is told when the connection stays open.
    ///   - keepsAlive: false adds `Connection: close`.
    ///   - date: A line from ``DateField``.
    ///   - appendMore: Appends further fields with ``appendField(_:to:value:)``.
    public static func appendResponse(
        _ status: HTTPStatus,
        fields: borrowing HTTPFields,
        framing: BodyFraming,
        version: HTTPVersion = .http11,
        keepsAlive: Bool,
        date: [UInt8],
        to buffer: inout [UInt8],
        appendMore: (inout [UInt8]) -> Void = { _ in }
    ) {
        appendStatusLine(status, to: &buffer)
        if !fields.entries.contains(where: { $0.name == .date }) { buffer.append(copying: date.span) }
        append(fields, to: &buffer) { $0.isWrittenForConnection }
        appendMore(&buffer)
        appendFraming(framing, to: &buffer)
        switch (keepsAlive, version) {
        case _ where status == .switchingProtocols, (true, .http11) where status == .upgradeRequired:
            buffer.append(utf8: "Connection: Upgrade\r\n")
        case (false, _) where status == .upgradeRequired: buffer.append(utf8: "Connection: close, Upgrade\r\n")
        case (false, _): buffer.append(utf8: "Connection: close\r\n")
        case (true, .http10): buffer.append(utf8: "Connection: keep-alive\r\n")
        case (true, .http11): break
        }
        appendLineEnd(to: &buffer)
    }

    /// Writes an interim response (1xx), which another one follows.
    public static func appendInterim(_ status: HTTPStatus, fields: borrowing HTTPFields, to buffer: inout [UInt8]) {
        precondition(status.isInformational && status != .switchingProtocols, "not an interim response")
        appendStatusLine(status, to: &buffer)
        append(fields, to: &buffer) { $0.isWrittenForConnection }
        appendLineEnd(to: &buffer)
    }

    /// Writes `100 Continue`, which bids the client to send the body.
    public static func appendContinue(to buffer: inout [UInt8]) {
        buffer.append(utf8: "HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// Whether a text may stand in `Host`: a host name or an address, and perhaps a port.
    public static func isAuthority(_ text: String) -> Bool {
        Authority.isValid(0..<text.utf8.count, text.utf8.span)
    }

    // A line end or a space in a method or a target would make two requests out of one.

    private static func appendMethod(_ method: HTTPMethod, to buffer: inout [UInt8]) {
        if case .other(let text) = method { precondition(text.utf8.allSatisfy(ASCII.isToken), "a method is a token") }
        buffer.append(utf8: method.rawValue)
        buffer.append(ASCII.space)
    }

    private static func appendStatusLine(_ status: HTTPStatus, to buffer: inout [UInt8]) {
        // Nearly every response is a 200.
        if status.rawValue == 200 { return buffer.append(utf8: "HTTP/1.1 200 OK\r\n") }
        buffer.append(utf8: "HTTP/1.1 ")
        buffer.append(decimal: UInt64(status.code))
        buffer.append(ASCII.space)
        buffer.append(utf8: status.reason)
        appendLineEnd(to: &buffer)
    }

    private static func append(
        _ fields: borrowing HTTPFields,
        to buffer: inout [UInt8],
        except isLeftOut: (KnownName) -> Bool
    ) {
        fields.appendLines(to: &buffer) { !isLeftOut($0.name) }
    }

    private static func appendFraming(_ framing: BodyFraming, to buffer: inout [UInt8]) {
        switch framing {
        case .none, .untilClose: break
        case .chunked: buffer.append(utf8: "Transfer-Encoding: chunked\r\n")
        case .length(let count):
            buffer.append(utf8: "Content-Length: ")
            buffer.append(decimal: UInt64(count))
            appendLineEnd(to: &buffer)
        }
    }

    @inline(__always)
    private static func appendLineEnd(to buffer: inout [UInt8]) {
        buffer.append(ASCII.carriageReturn)
        buffer.append(ASCII.lineFeed)
    }
}

/// Writes bodies in the chunked transfer coding (RFC 9112 §7.1).
public enum ChunkedEncoder {
    /// Writes `bytes` as one chunk; nothing if they are empty, because an empty chunk is the last one.
    public static func appendChunk(_ bytes: Span<UInt8>, to buffer: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        appendChunkStart(byteCount: bytes.count, to: &buffer)
        buffer.append(copying: bytes)
        appendChunkEnd(to: &buffer)
    }

    /// Writes the line before a chunk of `byteCount` > 0 bytes, for callers that send the bytes themselves.
    public static func appendChunkStart(byteCount: Int, to buffer: inout [UInt8]) {
        precondition(byteCount > 0, "an empty chunk would end the body")
        var shift = (Int.bitWidth - 1 - byteCount.leadingZeroBitCount) / 4 * 4
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: byteCount >> shift & 15)
            buffer.append(digit < 10 ? ASCII.zero + digit : 0x61 + digit - 10)
            shift -= 4
        }
        appendChunkEnd(to: &buffer)
    }

    /// Writes the line end behind a chunk.
    public static func appendChunkEnd(to buffer: inout [UInt8]) {
        buffer.append(ASCII.carriageReturn)
        buffer.append(ASCII.lineFeed)
    }

    /// Writes the last chunk; the body is complete.
    ///
    /// - Parameter trailers: Written behind it.
    public static func appendEnd(trailers: HTTPFields? = nil, to buffer: inout [UInt8]) {
        buffer.append(utf8: "0\r\n")
        trailers?.appendEndToEnd(to: &buffer, announcesTrailers: false) { _ in false }
        appendChunkEnd(to: &buffer)
    }
}
