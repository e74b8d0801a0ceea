internal import HTTPServer
internal import HTTPWire
internal import Reactor

/// Which pages of other origins a browser lets read the answers: the "CORS protocol" of the Fetch Standard.
///
/// It keeps nobody out, who is not a browser: it is about pages that a user happens to have open.
///
/// - SeeAlso: https://fetch.spec.whatwg.org/#http-cors-protocol
public struct CrossOriginPolicy: Sendable {
    /// How long a browser may go by the answer to a preflight.
    private static let secondsToKeep = "600"
    /// What a preflight may ask for; longer lists are not answered.
    private static let listBytesMax = 1024

    /// Every page of any origin.
    private let allowsAll: Bool
    private let origins: Set<String>
    private let allowsCredentials: Bool
    /// What pages may read besides the fields that any may (`Content-Type` and the like).
    private(set) var exposed = ""

    /// - Parameters:
    ///   - origins: Of the pages, as browsers write them; `*` for all.
    ///   - allowsCredentials: Whether the browser may send what it has of the user's (cookies, certificates). Never to
    ///     pages of all origins.
    public init(origins: [String], allowsCredentials: Bool = false) {
        allowsAll = origins.contains("*")
        precondition(!allowsAll || !allowsCredentials, "whoever may come does not come as the user")
        self.origins = Set(origins)
        self.allowsCredentials = allowsCredentials
    }

    /// Reads an origin as browsers write it, or `*`; nil for anything else.
    public static func origin(_ text: String) -> String? {
        if text == "*" { return text }
        for (scheme, port) in [("https://", ":443"), ("http://", ":80")] where text.lowercased().hasPrefix(scheme) {
            var authority = text.dropFirst(scheme.count).lowercased()
            guard HeadWriter.isAuthority(authority), !authority.isEmpty else { return nil }
            if authority.hasSuffix(port) { authority.removeLast(port.count) }
            return scheme + authority
        }
        return nil
    }

    /// The same policy, with the fields that these routes answer with.
    func exposing(fieldsOf routes: [Route]) -> CrossOriginPolicy {
        var names = WebService.fieldsOfAnyAnswer.map(\.name) + ["Location", "Retry-After", "WWW-Authenticate"]
        for field in routes.flatMap(\.documentation.answers).flatMap(\.fields) where !names.contains(field.name) {
            names.append(field.name)
        }
        var policy = self
        policy.exposed = (names + ["Server-Timing"]).joined(separator: ", ")
        return policy
    }

    private func allowed(_ head: RequestHead) -> ArraySlice<UInt8>? {
        guard let origin = head.fields.onlyValueBytes("origin") else { return nil }
        return allowsAll || origins.contains(String(decoding: origin, as: UTF8.self)) ? origin : nil
    }

    /// Appends what every answer says.
    func appendFields(for request: RequestHead, to head: inout [UInt8]) {
        if !allowsAll { HeadWriter.appendField("Vary", to: &head) { $0.append(utf8: "Origin") } }
        guard let origin = allowed(request) else { return }
        HeadWriter.appendField("Access-Control-Allow-Origin", to: &head) {
            if allowsAll { $0.append(UInt8(ascii: "*")) } else { $0.append(contentsOf: origin) }
        }
        if allowsCredentials {
            HeadWriter.appendField("Access-Control-Allow-Credentials", to: &head) { $0.append(utf8: "true") }
        }
        guard request.method != .options else { return }
        HeadWriter.appendField("Access-Control-Expose-Headers", to: &head) { $0.append(utf8: exposed) }
    }

    /// The answer to a browser that asks whether a page may send a request; nil for any other request, and for pages
    /// that may not.
    ///
    /// - Parameter methods: What the path answers to; nil for whatever is asked for.
    func preflight(_ request: RequestHead, methods: [HTTPMethod]?) -> HTTPResponse? {
        guard request.method == .options, allowed(request) != nil,
            let method = request.fields["access-control-request-method"], method.utf8.allSatisfy(Self.isToken)
        else { return nil }
        let asked = request.fields.values("access-control-request-headers").joined(separator: ",")
        guard asked.utf8.count <= Self.listBytesMax, asked.utf8.allSatisfy({ Self.isToken($0) || Self.separates($0) })
        else { return nil }
        var fields: HTTPFields = [
            "Vary": "Access-Control-Request-Method, Access-Control-Request-Headers",
            "Access-Control-Allow-Methods": methods.map { $0.map(\.rawValue).joined(separator: ", ") } ?? method,
            "Access-Control-Max-Age": Self.secondsToKeep,
        ]
        // A page that may read the answers may ask as it likes.
        if !asked.isEmpty { fields.append("Access-Control-Allow-Headers", asked) }
        if let methods { fields.append("Allow", methods.map(\.rawValue).joined(separator: ", ")) }
        return HTTPResponse(.noContent, fields: fields)
    }

    private static func isToken(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && !#""(),/:;<=>?@[\]{}"#.utf8.contains(byte)
    }

    private static func separates(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ",") || byte == UInt8(ascii: " ") }
}
