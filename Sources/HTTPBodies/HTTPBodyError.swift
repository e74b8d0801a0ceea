public import HTTPWire

/// Why a body did not come to its end. What came before may have been acted on.
public enum HTTPBodyError: Error, Hashable, Sendable {
    /// It is longer than its reader, or whoever receives it, accepts.
    case tooLarge(limitBytes: Int)
    /// It is not framed as announced. A server answers that by itself.
    case malformed(HTTPParseError)
    /// It stopped coming. A server answers that by itself.
    case timedOut
    /// The other side left before the end.
    case cut
    /// The rest is not wanted: the request was answered already, or the exchange cancelled.
    case unwanted
}
