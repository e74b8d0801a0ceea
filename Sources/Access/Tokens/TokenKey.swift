internal import FoundationEssentials
internal import JSONWire
internal import JWTKit

/// How a token is signed. There are no others, least of all `none`.
enum TokenAlgorithm: String, CaseIterable, Sendable {
    /// HMAC with SHA-256 and a shared secret.
    case hs256 = "HS256"
    /// RSA (PKCS #1 v1.5) with SHA-256.
    case rs256 = "RS256"
    /// ECDSA over P-256 with SHA-256.
    case es256 = "ES256"
    /// Ed25519.
    case edDSA = "EdDSA"
}

/// A key that tokens are verified with; RFC 7517. It is good for one algorithm only, so that nobody can pass a public
/// key off as a secret.
public struct TokenKey: Sendable {
    /// What tokens call it; nil where there is but one of its algorithm.
    let id: String?
    /// What it is good for.
    let algorithm: TokenAlgorithm
    private let key: any JWTAlgorithm

    /// RFC 7518 §3.2: at least as long as the hash.
    private static let secretBytesMin = 32
    /// RFC 7518 §3.3, in bytes; longer ones are slow.
    private static let modulusBytes = 256...1024

    private init(_ id: String?, _ algorithm: TokenAlgorithm, _ key: any JWTAlgorithm) {
        self.id = id
        self.algorithm = algorithm
        self.key = key
    }

    /// A shared secret; nil if it is too short to be one.
    init?(secret: [UInt8], id: String?) async {
        guard secret.count >= Self.secretBytesMin else { return nil }
        let keys = JWTKeyCollection()
        await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        guard let key = try? await keys.getKey() else { return nil }
        self.init(id, .hs256, key)
    }

    /// Reads a JSON Web Key; nil for one that is not for verifying tokens, or of a kind that is not known here.
    init?(_ jwk: JSONValue) async {
        if let use = jwk["use"], use.string != "sig" { return nil }
        // RFC 7517 §4.3.
        if let operations = jwk["key_ops"], operations.array?.contains(where: { $0.string == "verify" }) != true {
            return nil
        }
        guard let algorithm = Self.algorithm(jwk) else { return nil }
        if let stated = jwk["alg"]?.string, stated != algorithm.rawValue { return nil }
        func text(_ name: String) -> String? { jwk[name]?.string }
        func bytes(_ name: String) -> [UInt8]? { text(name).flatMap { Base64URL.decode($0.utf8) } }
        let name: JWKIdentifier = "key"
        let key: JWK
        switch algorithm {
        case .hs256:
            guard let secret = bytes("k") else { return nil }
            await self.init(secret: secret, id: text("kid"))
            return
        case .rs256:
            guard let modulus = bytes("n"), let exponent = bytes("e"), exponent.count <= 4,
                Self.modulusBytes.contains(modulus.drop { $0 == 0 }.count)
            else { return nil }
            key = .rsa(.rs256, identifier: name, modulus: text("n"), exponent: text("e"))
        case .es256:
            guard bytes("x")?.count == 32, bytes("y")?.count == 32 else { return nil }
            key = .ecdsa(.es256, identifier: name, x: text("x"), y: text("y"), curve: .p256)
        case .edDSA:
            guard bytes("x")?.count == 32 else { return nil }
            key = .octetKeyPair(.eddsa, identifier: name, x: text("x"), y: nil, curve: .ed25519)
        }
        let keys = JWTKeyCollection()
        do {
            try await keys.add(jwk: key)
            self.init(text("kid"), algorithm, try await keys.getKey(for: name, alg: algorithm.rawValue))
        } catch {
            return nil
        }
    }

    private static func algorithm(_ jwk: JSONValue) -> TokenAlgorithm? {
        switch (jwk["kty"]?.string, jwk["crv"]?.string) {
        case ("oct", _): .hs256
        case ("RSA", _): .rs256
        case ("EC", "P-256"): .es256
        case ("OKP", "Ed25519"): .edDSA
        default: nil
        }
    }

    /// Whether `signature` is that of `message` by this key.
    func verifies(_ signature: [UInt8], of message: ArraySlice<UInt8>) -> Bool {
        (try? key.verify(signature, signs: Array(message))) ?? false
    }

    /// The signature of `message`; nil for a key that can only verify.
    func sign(_ message: [UInt8]) -> [UInt8]? {
        guard algorithm == .hs256 else { return nil }
        return try? key.sign(message)
    }
}

/// Keys that tokens are verified with, as a JWKS lists them.
public struct TokenKeys: Sendable {
    /// Most keys of a set.
    private static let countMax = 64
    /// The longest JWKS.
    public static let bytesMax = 256 * 1024

    /// Why there are no keys.
    public enum Fault: Error, Hashable, Sendable, CustomStringConvertible {
        case notJWKS, noKeys, tooManyKeys, sameNames

        /// What is wrong, to follow the name of the file or the URL.
        public var description: String {
            switch self {
            case .notJWKS: "is not a JSON Web Key Set"
            case .noKeys: "has no key for HS256 (32 bytes or more), RS256 (2048 bits or more), ES256 or EdDSA"
            case .tooManyKeys: "has more than 64 keys"
            case .sameNames: "has two keys of one algorithm with the same kid"
            }
        }
    }

    private let keys: [TokenKey]

    /// No keys, so that no token is good.
    init() { keys = [] }

    init(_ keys: [TokenKey]) { self.keys = keys }

    /// Reads a JWKS. Keys that are of no use here are passed over.
    public init(parsing json: [UInt8]) async throws(Fault) {
        guard let value = try? JSONValue(parsing: json.span, limits: JSONLimits(bytes: Self.bytesMax, depth: 8)),
            let list = value["keys"]?.array
        else { throw .notJWKS }
        guard list.count <= Self.countMax else { throw .tooManyKeys }
        var keys: [TokenKey] = []
        for jwk in list { if let key = await TokenKey(jwk) { keys.append(key) } }
        guard !keys.isEmpty else { throw .noKeys }
        let names = keys.compactMap { key in key.id.map { [key.algorithm.rawValue, $0] } }
        guard Set(names).count == names.count else { throw .sameNames }
        self.keys = keys
    }

    /// A key that can sign.
    public var signing: TokenKey? { keys.first { $0.algorithm == .hs256 } }

    /// The key that a token's header names. Where it names none, the only one of the algorithm.
    func key(id: String?, _ algorithm: TokenAlgorithm) -> TokenKey? {
        if let id { return keys.first { $0.id == id && $0.algorithm == algorithm } }
        let candidates = keys.filter { $0.algorithm == algorithm }
        return candidates.count == 1 ? candidates[0] : nil
    }
}

extension TokenKeys {
    /// A set with a new secret, as JSON.
    public static func newSecret() -> String {
        var generator = SystemRandomNumberGenerator()
        let secret = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let name = (0..<6).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let id = String(decoding: Base64URL.encode(name), as: UTF8.self)
        let text = String(decoding: Base64URL.encode(secret), as: UTF8.self)
        return #"{"keys":[{"kty":"oct","use":"sig","alg":"HS256","kid":"\#(id)","k":"\#(text)"}]}"# + "\n"
    }
}
