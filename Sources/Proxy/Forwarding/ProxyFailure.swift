internal import HTTPClient
internal import HTTPWire
internal import Reactor
internal import TLS
internal import WebAPI

extension HTTPClientError {
    /// What the client of the proxy is told when its upstream did not answer.
    var proxyError: APIError {
        switch self {
        case .unreachable(.timedOut), .timedOut: .upstreamTimeout
        case .unreachable, .connectionLost, .malformedResponse, .responseTooLarge, .circuitOpen: .upstreamError
        case .overloaded: .overloaded
        case .cancelled: .unavailable
        }
    }

    /// The error type of RFC 9209 §2.3.
    var proxyErrorType: String {
        switch self {
        case .unreachable(.unresolved): "dns_error"
        case .unreachable(.timedOut), .timedOut(.connecting): "connection_timeout"
        case .unreachable(.failed(let error)) where error.isConnectionRefused: "connection_refused"
        case .unreachable(.connectedToItself): "connection_refused"
        case .unreachable(.insecure(.certificate)): "tls_certificate_error"
        case .unreachable(.insecure): "tls_protocol_error"
        case .unreachable(.failed): "destination_ip_unroutable"
        case .connectionLost: "connection_terminated"
        case .timedOut(.waiting), .overloaded: "connection_limit_reached"
        case .timedOut(.responseHead), .timedOut(.responseBody): "http_response_timeout"
        case .malformedResponse: "http_protocol_error"
        case .responseTooLarge: "http_response_header_section_size"
        case .circuitOpen, .cancelled: "destination_unavailable"
        }
    }

    /// `Proxy-Status`, without a word about where the upstream is.
    var proxyStatus: HTTPFields { ["Proxy-Status": "\(ForwardedHead.pseudonym); error=\(proxyErrorType)"] }
}
