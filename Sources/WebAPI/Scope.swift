/// What a token may allow (RFC 6749 §3.3), and what a route wants where tokens are asked for.
///
/// Whoever declares a route declares beside it what it wants:
///
/// ```swift
/// extension Scope { static let ordersRead = Scope("orders:read", "Reading one's own orders") }
///
/// Operation(.get, "/orders", needs: .ordersRead, documentation) { … }
/// ```
public struct Scope: Hashable, Sendable {
    /// As it stands in a token.
    public let name: String
    /// What it allows, in a line.
    public let meaning: String

    /// Makes a scope; there is one of a name.
    public init(_ name: String, _ meaning: String) {
        let isToken = name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
        precondition(!name.isEmpty && isToken, "not a scope: \(name)")
        self.name = name
        self.meaning = meaning
    }

    /// Includes all others, and is what a route wants that does not say anything else.
    public static let admin = Scope("admin", "Everything")
}
