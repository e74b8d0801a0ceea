public import HTTPBodies
public import HTTPWire
public import Reactor
public import TLS

/// Why there is no response.
public enum HTTPClientError: Error, Hashable, Sendable {
    /// No connection could be made within the connect window; nothing was sent.
    case unreachable(ConnectFailure)
    /// The connection ended before the response did. Where `mayHaveBeenProcessed` is false, nothing was sent.
    case connectionLost(mayHaveBeenProcessed: Bool)
    /// The deadline or one of the configured times passed; see ``Phase/mayHaveBeenProcessed``.
    case timedOut(Phase)
    /// The upstream answered with something that is not HTTP; the request was probably processed.
    case malformedResponse(HTTPParseError)
    /// The response is larger than the limits allow; the request was probably processed.
    case responseTooLarge
    /// Too many requests wait already; nothing was sent.
    case overloaded
    /// The upstream failed so often that it is not asked; nothing was sent. It may be asked again after `retryAfter`.
    case circuitOpen(retryAfter: Duration)
    /// The task was cancelled or the client closed; the request may have been processed.
    case cancelled

    /// How far a request had come when its time was up.
    public enum Phase: Hashable, Sendable {
        /// Every connection was busy.
        case waiting
        /// There was no connection yet.
        case connecting
        /// The request was sent, and the head of the response not received.
        case responseHead
        /// The head of the response was received, and the end of its body not.
        case responseBody

        /// Whether the upstream may have done what it was asked for.
        public var mayHaveBeenProcessed: Bool {
            switch self {
            case .waiting, .connecting: false
            case .responseHead, .responseBody: true
            }
        }
    }

    /// What happened, without its circumstances; for a metric's label.
    public enum Kind: String, CaseIterable, Sendable {
        /// No connection could be made.
        case unreachable
        /// The connection ended.
        case connectionLost = "connection_lost"
        /// The time was up.
        case timedOut = "timed_out"
        /// The response cannot be understood or is too large.
        case unusableResponse = "unusable_response"
        /// Too many requests wait.
        case overloaded
        /// The upstream is not asked.
        case circuitOpen = "circuit_open"
        /// Nobody wants the response.
        case cancelled
    }

    /// What happened.
    public var kind: Kind {
        switch self {
        case .unreachable: .unreachable
        case .connectionLost: .connectionLost
        case .timedOut: .timedOut
        case .malformedResponse, .responseTooLarge: .unusableResponse
        case .overloaded: .overloaded
        case .circuitOpen: .circuitOpen
        case .cancelled: .cancelled
        }
    }

    /// Whether the upstream may have done what it was asked for. Only if not is it always right to ask again.
    public var mayHaveBeenProcessed: Bool {
        switch self {
        case .unreachable, .overloaded, .circuitOpen: false
        case .connectionLost(let mayHaveBeenProcessed): mayHaveBeenProcessed
        case .timedOut(let phase): phase.mayHaveBeenProcessed
        case .malformedResponse, .responseTooLarge, .cancelled: true
        }
    }
}

extension HTTPClientError {
    /// What it means for a response that its body did not come to its end.
    public init(_ error: HTTPBodyError) {
        switch error {
        case .tooLarge: self = .responseTooLarge
        case .malformed(let error): self = .malformedResponse(error)
        case .timedOut: self = .timedOut(.responseBody)
        case .cut: self = .connectionLost(mayHaveBeenProcessed: true)
        case .unwanted: self = .cancelled
        }
    }
}

extension HTTPBodyError {
    /// What becomes of the body of a response that had begun.
    init(_ error: HTTPClientError, limits: HTTPLimits) {
        switch error {
        case .responseTooLarge: self = .tooLarge(limitBytes: limits.bodyBytes)
        case .malformedResponse(let error): self = .malformed(error)
        case .timedOut: self = .timedOut
        case .connectionLost, .unreachable, .overloaded, .circuitOpen: self = .cut
        case .cancelled: self = .unwanted
        }
    }
}

/// Why a connection could not be made.
public enum ConnectFailure: Error, Hashable, Sendable {
    /// The upstream's name has no address.
    case unresolved(ResolutionError)
    /// The attempt was refused or failed.
    case failed(SystemError)
    /// Nobody listens, and the kernel joined our socket to itself; see ``Connector``.
    case connectedToItself
    /// There is a connection, but not a secure one to the right host.
    case insecure(TLSError)
    /// The attempt took too long.
    case timedOut
}

extension HTTPClientError: CustomStringConvertible {
    /// Safe for a log line and for a metric label: bounded, and free of payload.
    public var description: String {
        switch self {
        case .unreachable(let failure): "unreachable: \(failure)"
        case .connectionLost(mayHaveBeenProcessed: true): "connection lost"
        case .connectionLost(mayHaveBeenProcessed: false): "connection lost before anything was sent"
        case .timedOut(.waiting): "timed out waiting for a connection"
        case .timedOut(.connecting): "timed out connecting"
        case .timedOut(.responseHead): "timed out waiting for the response"
        case .timedOut(.responseBody): "timed out reading the response"
        case .malformedResponse(let error): "malformed response: \(error)"
        case .responseTooLarge: "response too large"
        case .overloaded: "too many requests wait"
        case .circuitOpen: "circuit open"
        case .cancelled: "cancelled"
        }
    }
}

extension ConnectFailure: CustomStringConvertible {
    /// Safe for a log line and for a metric label: bounded, and free of payload.
    public var description: String {
        switch self {
        case .unresolved(let error): "name resolution: \(error)"
        case .failed(let error): error.description
        case .connectedToItself: "connect: nobody listens"
        case .insecure(let error): error.description
        case .timedOut: "connecting timed out"
        }
    }
}
