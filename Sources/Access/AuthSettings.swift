public import Configuration

/// `[auth]`: who may ask for what.
public struct AuthSettings: Sendable {
    /// How callers say who they are.
    public enum Mode: String, CaseIterable, Sendable {
        /// They need not.
        case off
        /// By a bearer token.
        case jwt
    }

    /// How callers say who they are.
    public var mode = Mode.off
    /// A JWKS.
    public var keys: KeyPlace?
    /// Who gives tokens out; nil for anybody who has a key.
    public var issuer: String?
    /// For whom they are; nil for anybody.
    public var audience: String?
    var leeway = Duration.seconds(30)
    var publicPaths: [String] = []

    /// The keys.
    public static let table = ConfigurationTable("auth", "Who may ask for what (CONTRACT.md §8)", Self()) {
        Key("mode", \.mode, "Whether requests need a bearer token (RFC 6750) with the scope of their route")
        Key(
            "keys",
            optional: \.keys,
            form: "a path or a URL",
            "JSON Web Key Set that tokens are verified with; a URL is asked again for unknown keys",
            parse: { KeyPlace(parsing: $0) }
        )
        Key("issuer", \.issuer, upTo: 1024, "What tokens must have as iss; empty for anything")
        Key("audience", \.audience, upTo: 1024, "What tokens must have in aud; empty for anything")
        Key("leeway_ms", \.leeway, in: 0...300_000, "By how much clocks may differ")
        Key(
            "public",
            \.publicPaths,
            count: 0...64,
            form: "a path",
            "Routes that need no token, as /openapi.json names them",
            parse: { $0.hasPrefix("/") ? $0 : nil }
        )
    }
    .requiring { auth, configuration in
        guard auth.mode == .jwt, auth.keys == nil else { return [] }
        return [configuration.problem(with: "auth.mode", "is jwt, which needs auth.keys to verify tokens with")]
    }

    /// What tokens are accepted.
    var rules: TokenRules {
        var rules = TokenRules()
        rules.issuer = issuer
        rules.audience = audience
        rules.leeway = Int(leeway.components.seconds)
        return rules
    }
}
