public import HTTPWire
internal import Reactor
public import WebAPI

/// What the admin listener lets in, whoever asks.
///
/// A browser on the operator's machine can be made to send requests by any page that it shows. So a request must name
/// the listener by an address or a name that is known to be its own (a name of somebody else's could be pointed here:
/// DNS rebinding), must not come from a page of another origin, and, if it would change something, must carry a field
/// that such a page cannot set.
public struct AdminDoor: Sendable {
    /// Says who acts; required of whatever changes something.
    static let operatorField = "X-Operator"
    private static let operatorBytesMax = 64

    private let hosts: Set<String>

    /// - Parameter hosts: Names of the listener, besides addresses and `localhost`.
    public init(hosts: [String]) { self.hosts = Set(hosts.map { $0.lowercased() } + ["localhost"]) }

    /// Why a request is not let in; nil if it is.
    public func refusal(_ head: RequestHead) -> APIError? {
        let authority = head.fields["host"] ?? ""
        guard isOwn(authority) else {
            return APIError(.forbidden, "This listener has no such name; see admin.hosts.")
        }
        if let origin = head.fields["origin"] {
            guard ["http://", "https://"].contains(where: { origin.lowercased() == $0 + authority.lowercased() }) else {
                return APIError(.forbidden, "Pages from elsewhere may not ask this listener.")
            }
        }
        guard Self.isChange(head.method) else { return nil }
        let names = head.fields.values(Self.operatorField)
        guard names.count == 1, let name = names.first, (1...Self.operatorBytesMax).contains(name.utf8.count),
            name.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            let demand = "must say who acts, in 1 to \(Self.operatorBytesMax) visible ASCII characters"
            return APIError(
                .forbidden,
                "\(Self.operatorField) \(demand).",
                details: [APIError.Detail(field: Self.operatorField, message: "\(Self.operatorField) \(demand)")]
            )
        }
        return nil
    }

    private static func isChange(_ method: HTTPMethod) -> Bool {
        method != .get && method != .head && method != .options
    }

    private func isOwn(_ authority: String) -> Bool {
        var name = authority.lowercased()[...]
        if name.hasPrefix("["), let end = name.firstIndex(of: "]") {
            name = name[name.index(after: name.startIndex)..<end]
        } else if let colon = name.lastIndex(of: ":") {
            name = name[..<colon]
        }
        return hosts.contains(String(name)) || SocketAddress(numericHost: String(name), port: 0) != nil
    }
}
