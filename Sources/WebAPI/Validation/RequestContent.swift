public import HTTPWire

/// What a request carries, complete: what a question is read from.
public struct RequestContent: Sendable {
    /// Request line and header fields.
    public let head: RequestHead
    /// What stood in the path where the route's template has parameters.
    public let parameters: PathParameters
    /// The body; nil where the route takes none.
    public let body: [UInt8]?

    /// Joins the parts.
    public init(_ head: RequestHead, parameters: PathParameters = .none, body: [UInt8]? = nil) {
        self.head = head
        self.parameters = parameters
        self.body = body
    }
}

extension RequestContent {
    /// A GET as a client would send it; for examples and tests.
    ///
    /// - Parameters:
    ///   - fields: Lines such as `Prefer: respond-async`.
    /// - Returns: nil if that is no request.
    public init?(target: String, fields: [String] = [], parameters: PathParameters = .none, body: String? = nil) {
        var parser = RequestParser()
        let lines = ["GET \(target) HTTP/1.1", "Host: localhost"] + fields + ["", ""]
        let bytes = Array(lines.joined(separator: "\r\n").utf8)
        guard case .deliverHead(let head)? = try? parser.step(bytes.span).action else { return nil }
        self.init(head, parameters: parameters, body: body.map { Array($0.utf8) })
    }

    /// What `read` says against the request; nil if it takes it.
    public func refusal(_ read: (RequestContent) throws(APIError) -> Void) -> APIError? {
        do {
            try read(self)
            return nil
        } catch {
            return error
        }
    }
}
