internal import JSONWire

/// What a token says of who sends it.
public struct TokenClaims: Hashable, Sendable {
    /// Who it is (`sub`).
    var subject: String
    /// What he may do (`scope`).
    var scopes: Set<String>
    /// Until when, in seconds since 1970 (`exp`).
    var expiresAt: Int

    /// Takes the parts.
    public init(subject: String, scopes: Set<String>, expiresAt: Int) {
        self.subject = subject
        self.scopes = scopes
        self.expiresAt = expiresAt
    }
}

/// Why a token is not good: for the log, never for who sent it.
enum TokenFault: String, Error, Hashable, Sendable {
    /// It is not a signed JWT in the compact form, or not one of ours to understand.
    case malformed
    /// It is longer than any that is read.
    case tooLarge
    /// It is signed by an algorithm that is not known here, or not at all.
    case algorithm
    /// No key of that name and algorithm is known. One may have been added since the keys were read.
    case unknownKey
    /// The signature is another's.
    case signature
    /// Its time is over, or has not come.
    case expired, notYetValid
    /// It was given out by somebody else, or for somebody else.
    case issuer, audience
    /// It names nobody.
    case subject
}

/// What tokens are accepted: signed JWTs (RFC 7515, 7519) in the compact form, read as RFC 8725 advises.
struct TokenRules: Sendable {
    /// The longest token, in bytes.
    static let bytesMax = 8 * 1024

    /// Who gives tokens out (`iss`); nil for anybody who has a key.
    var issuer: String?
    /// For whom they are (`aud`); nil for anybody.
    var audience: String?
    /// By how many seconds clocks may differ.
    var leeway = 30

    /// Verifies a token.
    ///
    /// - Parameter now: Seconds since 1970.
    func verify(_ token: [UInt8], with keys: TokenKeys, now: Int) throws(TokenFault) -> TokenClaims {
        // Nothing of the claims is even read before the signature is known to be good.
        try claims(try content(of: token, with: keys), now)
    }

    /// What a token says, if it is signed by one of the keys.
    func content(of token: [UInt8], with keys: TokenKeys) throws(TokenFault) -> [UInt8] {
        guard token.count <= Self.bytesMax else { throw .tooLarge }
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let headerJSON = Base64URL.decode(parts[0]),
            let claimsJSON = Base64URL.decode(parts[1]), let signature = Base64URL.decode(parts[2])
        else { throw .malformed }
        let header = try Header(headerJSON)
        guard let key = keys.key(id: header.keyID, header.algorithm) else { throw .unknownKey }
        guard key.verifies(signature, of: token[..<parts[1].endIndex]) else { throw .signature }
        return claimsJSON
    }

    private func claims(_ json: [UInt8], _ now: Int) throws(TokenFault) -> TokenClaims {
        let claims = try parseObject(json)
        guard let expiry = try seconds(claims["exp"]) else { throw .malformed }
        guard now < expiry.saturatingAdd(leeway) else { throw .expired }
        for name in ["nbf", "iat"] {
            guard let time = try seconds(claims[name]) else { continue }
            guard time <= now + leeway else { throw .notYetValid }
        }
        if let issuer, claims["iss"]?.string != issuer { throw .issuer }
        if let audience {
            let all = claims["aud"]?.string.map { [$0] } ?? claims["aud"]?.array?.compactMap(\.string) ?? []
            guard all.contains(audience) else { throw .audience }
        }
        guard let subject = claims["sub"]?.string, (1...255).contains(subject.utf8.count),
            !subject.utf8.contains(0)
        else { throw .subject }
        guard claims["scope"] == nil || claims["scope"]?.string != nil else { throw .malformed }
        let scopes = claims["scope"]?.string?.split(separator: " ").map { String($0) } ?? []
        return TokenClaims(subject: subject, scopes: Set(scopes), expiresAt: expiry)
    }

    /// A `NumericDate`: seconds, perhaps with a fraction, which is dropped.
    private func seconds(_ value: JSONValue?) throws(TokenFault) -> Int? {
        guard let value else { return nil }
        if let whole = value.integer { return whole }
        guard let number = value.double, abs(number) < 1e15 else { throw .malformed }
        return Int(number.rounded(.down))
    }

    /// What a token says of itself.
    private struct Header {
        let algorithm: TokenAlgorithm
        let keyID: String?

        init(_ json: [UInt8]) throws(TokenFault) {
            let header = try parseObject(json)
            // What must be understood (`crit`), another token within (`cty`), and unencoded claims (`b64`) are not.
            guard header["crit"] == nil, header["cty"] == nil, header["b64"] == nil else { throw .malformed }
            let type = header["typ"].map { $0.string?.lowercased() ?? "" }
            guard [nil, "jwt", "at+jwt", "application/at+jwt"].contains(type) else { throw .malformed }
            guard let name = header["alg"]?.string, let algorithm = TokenAlgorithm(rawValue: name) else {
                throw .algorithm
            }
            self.algorithm = algorithm
            guard header["kid"] == nil || header["kid"]?.string != nil else { throw .malformed }
            // Only ever compared with the names of keys that are there: no path, no URL, no query.
            keyID = header["kid"]?.string
        }
    }
}

/// Reads an object; one with a member twice, with deep nesting or with anything behind it is none.
private func parseObject(_ json: [UInt8]) throws(TokenFault) -> JSONObject {
    let limits = JSONLimits(bytes: TokenRules.bytesMax, depth: 4)
    guard let object = (try? JSONValue(parsing: json.span, limits: limits))?.object else { throw .malformed }
    return object
}

extension TokenClaims {
    /// A token that says so, signed with a shared secret; nil if the key cannot sign.
    public func signed(with key: TokenKey, issuer: String?, audience: String?, issuedAt: Int) -> String? {
        var header = JSONWriter()
        header.object { header in
            header.member("alg", key.algorithm.rawValue)
            header.member("typ", "JWT")
            if let id = key.id { header.member("kid", id) }
        }
        var claims = JSONWriter()
        claims.object { claims in
            if let issuer { claims.member("iss", issuer) }
            if let audience { claims.member("aud", audience) }
            claims.member("sub", subject)
            claims.member("scope", scopes.sorted().joined(separator: " "))
            claims.member("iat", issuedAt)
            claims.member("exp", expiresAt)
        }
        let message = Base64URL.encode(header.take()) + [UInt8(ascii: ".")] + Base64URL.encode(claims.take())
        guard let signature = key.sign(message) else { return nil }
        return String(decoding: message + [UInt8(ascii: ".")] + Base64URL.encode(signature), as: UTF8.self)
    }
}

extension Int {
    fileprivate func saturatingAdd(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
