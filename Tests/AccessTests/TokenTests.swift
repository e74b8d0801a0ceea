import JSONWire
import Testing

@testable import Access

/// Tokens that are good, and those with which others have been fooled.
@Suite struct TokenTests {
    private static let now = 1_800_000_000
    private static let secret = Array("a secret of more than 32 bytes, at least".utf8)

    private static let keys = Task {
        let jwks = #"{"keys":[{"kty":"oct","kid":"h","k":"\#(base64(secret))"},"# + TokenVectors.keys.dropFirst(10)
        return try await TokenKeys(parsing: Array(jwks.utf8))
    }

    private static let rules: TokenRules = {
        var rules = TokenRules()
        rules.issuer = "https://issuer.test"
        rules.audience = "tickloop"
        return rules
    }()

    private static func base64(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: Base64URL.encode(bytes), as: UTF8.self)
    }

    private static let goodClaims: [(String, JSONValue)] = [
        ("iss", "https://issuer.test"), ("aud", "tickloop"), ("sub", "ada"), ("scope", "prices:read"),
        ("exp", .integer(now + 60)),
    ]

    /// A token with other claims than good ones, signed with the secret.
    private static func token(
        header: String = #"{"alg":"HS256","kid":"h"}"#,
        claims changes: [String: JSONValue] = [:],
        without missing: String? = nil,
        claimsText: String? = nil,
        key: [UInt8] = secret
    ) async throws -> String {
        var members = goodClaims.filter { changes[$0.0] == nil && $0.0 != missing }
        for (name, value) in changes { members.append((name, value)) }
        let object = JSONValue.object(JSONObject(members.map { JSONObject.Member(name: $0.0, value: $0.1) }))
        let claims = claimsText.map { Array($0.utf8) } ?? object.encoded
        let message = base64(header.utf8) + "." + base64(claims)
        let signer = try #require(await TokenKey(secret: key, id: nil))
        return message + "." + base64(try #require(signer.sign(Array(message.utf8))))
    }

    private func verify(_ token: String, now: Int = now) async throws -> Result<TokenClaims, TokenFault> {
        let keys = try await Self.keys.value
        do throws(TokenFault) {
            return .success(try Self.rules.verify(Array(token.utf8), with: keys, now: now))
        } catch {
            return .failure(error)
        }
    }

    private func fault(_ token: String, now: Int = now) async throws -> TokenFault? {
        if case .failure(let fault) = try await verify(token, now: now) { fault } else { nil }
    }

    // MARK: Good ones

    @Test(arguments: [TokenVectors.rs256, TokenVectors.es256, TokenVectors.edDSA])
    func `a token that another program signed is verified`(token: String) async throws {
        let claims = TokenClaims(subject: "ada", scopes: ["prices:read", "orders:write"], expiresAt: 4_000_000_000)
        #expect(try await verify(token) == .success(claims))
        // One bit of anything makes it another's, and one of its spelling makes it none.
        for index in [4, token.count / 2, token.count - 20] {
            var bytes = Array(token.utf8)
            bytes[index] = bytes[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(try await fault(String(decoding: bytes, as: UTF8.self)) != nil)
        }
    }

    @Test func `the example of RFC 7515 is verified, and names nobody`() async throws {
        let keys = try await TokenKeys(parsing: Array(TokenVectors.rfcKeys.utf8))
        #expect(throws: TokenFault.subject) {
            try TokenRules().verify(Array(TokenVectors.rfc.utf8), with: keys, now: 1_300_819_000)
        }
        #expect(throws: TokenFault.expired) {
            try TokenRules().verify(Array(TokenVectors.rfc.utf8), with: keys, now: 1_300_819_500)
        }
    }

    @Test func `a token that we sign is one that we verify`() async throws {
        let claims = TokenClaims(subject: "grace", scopes: ["admin"], expiresAt: Self.now + 10)
        let key = try #require(await TokenKey(secret: Self.secret, id: "h"))
        let token = try #require(
            claims.signed(with: key, issuer: "https://issuer.test", audience: "tickloop", issuedAt: Self.now)
        )
        #expect(try await verify(token) == .success(claims))
    }

    @Test func `clocks may differ a little, and audiences may be many`() async throws {
        let late = try await Self.token(claims: ["exp": .integer(Self.now - 29), "nbf": .integer(Self.now + 29)])
        #expect(try await fault(late) == nil)
        #expect(try await fault(Self.token(claims: ["aud": ["other", "tickloop"]])) == nil)
        #expect(try await fault(Self.token(claims: ["exp": .number("1800000060.5")])) == nil)
    }

    // MARK: Bad ones

    @Test(arguments: [
        ("exp", JSONValue.integer(now - 31), TokenFault.expired), ("exp", "1900000000", .malformed),
        ("nbf", .integer(now + 31), .notYetValid), ("iat", .integer(now + 31), .notYetValid),
        ("aud", "tickloop2", .audience), ("aud", .array(["x"]), .audience), ("aud", 5, .audience),
        ("iss", "https://issuer.test/", .issuer), ("iss", .array(["https://issuer.test"]), .issuer),
        ("sub", "", .subject), ("sub", 7, .subject), ("sub", .string(String(repeating: "a", count: 256)), .subject),
        ("scope", .array(["admin"]), .malformed),
    ])
    func `a claim that is not in order makes the token no good`(name: String, value: JSONValue, expected: TokenFault)
        async throws
    {
        #expect(try await fault(Self.token(claims: [name: value])) == expected)
    }

    @Test(arguments: [("exp", TokenFault.malformed), ("aud", .audience), ("iss", .issuer), ("sub", .subject)])
    func `a claim that is missing makes the token no good`(name: String, expected: TokenFault) async throws {
        #expect(try await fault(Self.token(without: name)) == expected)
    }

    @Test(arguments: [
        // Not signed, in the spellings that have worked somewhere.
        (#"{"alg":"none"}"#, TokenFault.algorithm), (#"{"alg":"None"}"#, .algorithm), (#"{"alg":""}"#, .algorithm),
        (#"{"alg":"hs256","kid":"h"}"#, .algorithm), ("{}", .algorithm), (#"{"alg":null,"kid":"h"}"#, .algorithm),
        (#"{"alg":"HS512","kid":"h"}"#, .algorithm),
        // A public key as a secret: the key is good for its own algorithm only.
        (#"{"alg":"HS256","kid":"r"}"#, .unknownKey), (#"{"alg":"HS256","kid":"e"}"#, .unknownKey),
        (#"{"alg":"RS256","kid":"h"}"#, .unknownKey),
        // A name of a key that means something elsewhere, or a key that the token brings along.
        (#"{"alg":"HS256","kid":"../../../../dev/null"}"#, .unknownKey),
        (#"{"alg":"HS256","kid":"' or 1=1 --"}"#, .unknownKey),
        (#"{"alg":"HS256","kid":"http://example.com/k"}"#, .unknownKey), (#"{"alg":"HS256","kid":["h"]}"#, .malformed),
        (#"{"alg":"HS256","jwk":{"kty":"oct","k":"AA"},"kid":"x"}"#, .unknownKey),
        (#"{"alg":"HS256","jku":"http://example.com/","kid":"x"}"#, .unknownKey),
        // What must be understood and is not, and a token in a token.
        (#"{"alg":"HS256","kid":"h","crit":["exp"]}"#, .malformed),
        (#"{"alg":"HS256","kid":"h","b64":false}"#, .malformed),
        (#"{"alg":"HS256","kid":"h","cty":"JWT"}"#, .malformed),
        (#"{"alg":"HS256","kid":"h","typ":"secevent+jwt"}"#, .malformed),
        // Twice, so that two readers read two things; and what is no object.
        (#"{"alg":"none","alg":"HS256","kid":"h"}"#, .malformed), ("[]", .malformed), (#""HS256""#, .malformed),
        (#"{"alg":"HS256","kid":"h"} x"#, .malformed),
    ])
    func `a header that tries to choose how it is verified is refused`(header: String, expected: TokenFault)
        async throws
    {
        #expect(try await fault(Self.token(header: header)) == expected)
    }

    @Test func `claims that are there twice, too deep or no object are refused`() async throws {
        let twice = #"{"sub":"ada","sub":"eve","exp":1900000000,"iss":"https://issuer.test","aud":"tickloop"}"#
        let deep = #"{"a":\#(String(repeating: "[", count: 50))\#(String(repeating: "]", count: 50))}"#
        for text in [twice, deep, "[]", "", "null", "\u{FEFF}{}"] {
            #expect(try await fault(Self.token(claimsText: text)) == .malformed, "\(text)")
        }
    }

    @Test func `a signature that is another's, cut, empty or spelled in another way is refused`() async throws {
        let good = try await Self.token()
        let parts = good.split(separator: ".").map { String($0) }
        #expect(try await fault(good) == nil)
        #expect(try await fault(Self.token(key: Array("another secret of more than 32 bytes".utf8))) == .signature)
        #expect(try await fault(parts[0] + "." + parts[1] + ".") == .signature)
        #expect(try await fault(parts[0] + "." + parts[1]) == .malformed)
        #expect(try await fault(good + ".") == .malformed)
        #expect(try await fault(good + "=") == .malformed)
        #expect(try await fault(" " + good) == .malformed)
        #expect(try await fault(String(good.dropLast(4))) != nil)
        #expect(try await fault(parts[0] + "." + parts[1] + "." + String(repeating: "A", count: 43)) == .signature)
        // ES256 with r = s = 0 (CVE-2022-21449).
        let es256 = TokenVectors.es256.split(separator: ".").map { String($0) }
        #expect(try await fault(es256[0] + "." + es256[1] + "." + String(repeating: "A", count: 86)) == .signature)
        #expect(try await fault(String(repeating: "A", count: TokenRules.bytesMax + 1)) == .tooLarge)
    }

    @Test(arguments: [
        #"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, #"{"keys":[]}"#, #"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
        #"{"keys":[{"kty":"oct","use":"enc","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#,
        #"{"keys":[{"kty":"oct","alg":"HS512","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#,
        #"{"keys":[{"kty":"oct","key_ops":["sign"],"k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#,
    ])
    func `keys that are weak, or for something else, are none`(jwks: String) async throws {
        await #expect(throws: TokenKeys.Fault.noKeys) { try await TokenKeys(parsing: Array(jwks.utf8)) }
    }

    @Test func `two keys of an algorithm have names that differ`() async throws {
        func set(_ first: String, _ second: String) -> [UInt8] {
            let rest = #""kty":"oct","key_ops":["sign","verify"],"k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA""#
            return Array(#"{"keys":[{"kid":"\#(first)",\#(rest)},{"kid":"\#(second)",\#(rest)}]}"#.utf8)
        }
        await #expect(throws: TokenKeys.Fault.sameNames) { try await TokenKeys(parsing: set("a", "a")) }
        _ = try await TokenKeys(parsing: set("a", "b"))
    }

    @Test func `a name is needed where there are two keys of an algorithm`() async throws {
        let two = [
            try #require(await TokenKey(secret: Self.secret, id: "a")),
            try #require(await TokenKey(secret: Self.secret, id: "b")),
        ]
        let token = try await Self.token(header: #"{"alg":"HS256"}"#)
        let verify = { keys throws(TokenFault) in
            try Self.rules.verify(Array(token.utf8), with: TokenKeys(keys), now: Self.now)
        }
        #expect(throws: TokenFault.unknownKey) { try verify(two) }
        #expect(try verify([two[0]]).subject == "ada")
    }
}
