public import HTTPClient
public import HTTPServer
public import HTTPWire

/// Why the next hop did not do as it was asked.
public enum RelayFailure: Error, Hashable, Sendable {
    /// It gave no answer.
    case noAnswer(HTTPClientError)
    /// It answered that it could not: a status from 500.
    case refused(HTTPStatus)
    /// What it answered is none of our answers.
    case unusable

    /// Whether what was asked for may have been done.
    public var mayHaveBeenDone: Bool {
        switch self {
        case .noAnswer(let error): error.mayHaveBeenProcessed
        // RFC 9110 §15.6.4, and a promise of our own: 503 is said before anything is done.
        case .refused(let status): status != .serviceUnavailable
        case .unusable: true
        }
    }

    /// What the client is told, unless the route has something else to say.
    public var error: APIError {
        switch self {
        case .noAnswer(.timedOut), .refused(.gatewayTimeout): .upstreamTimeout
        case .noAnswer(.overloaded): .overloaded
        case .refused(.serviceUnavailable): .unavailable
        case .noAnswer, .refused, .unusable: .upstreamError
        }
    }
}

/// What a client gets in place of the next hop's answer.
public typealias RelayedAnswer = Result<HTTPResponse, APIError>
