import Access
import ArgumentParser
import Basics
import Configuration
import Gateway
import Glibc
import InternalAPI
import Reactor
import Service
import Supervision
import WebAPI

/// `tickloop token`: makes tokens to try.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Prints a bearer token, signed with the shared secret of auth.keys.",
        discussion: """
            For trying things out. With --make-keys FILE it first writes a key set with a new secret, which auth.keys \
            of the gateway and of the API can then name. Issuer and audience are those of the gateway's configuration.

            Scopes, which /openapi.json names at each route:
            \(allScopes.map { "  \($0.name): \($0.meaning)" }.joined(separator: "\n"))
            """
    )

    /// Everything that a token may allow.
    private static let allScopes: [Scope] = {
        var scopes: [Scope] = []
        for scope in Role.gateway.scopes + Role.internalAPI.scopes + [.admin] where !scopes.contains(scope) {
            scopes.append(scope)
        }
        return scopes
    }()

    @Option(name: .customLong("sub"), help: "Who it is for.")
    var subject: String

    @Option(name: .customLong("scope"), help: "What it allows, such as prices:read; may be given several times.")
    var scopes: [String] = []

    @Option(help: "For how many seconds it is good.")
    var expiresIn = 3600

    @Option(help: "Writes a key set with a new secret to a file that does not exist, and signs with that.")
    var makeKeys: String?

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        let settings = try options.load(Role.gateway.schema)[AuthSettings.table]
        let names = Self.allScopes.map(\.name)
        let unknown = scopes.filter { !names.contains($0) }
        guard unknown.isEmpty else {
            let known = names.joined(separator: ", ")
            throw ValidationError("There is no scope \(unknown[0]); there are \(known).")
        }
        if let makeKeys { try Self.makeKeys(makeKeys) }
        let named = if case .file(let path) = settings.keys { path } else { String?.none }
        guard let file = makeKeys ?? named else {
            throw ValidationError("auth.keys names no file; name one, or give --make-keys FILE.")
        }
        let claims = TokenClaims(subject: subject, scopes: Set(scopes), expiresAt: Self.now + expiresIn)
        Glibc.exit(Reactor.run { await Self.sign(claims, with: file, settings) })
    }

    @ReactorActor
    private static func sign(_ claims: TokenClaims, with file: String, _ settings: AuthSettings) async -> CInt {
        do {
            let keys = try await TokenKeys(parsing: FileContents.bytes(file, atMost: TokenKeys.bytesMax))
            let token = keys.signing.flatMap {
                claims.signed(with: $0, issuer: settings.issuer, audience: settings.audience, issuedAt: now)
            }
            guard let token else {
                Terminal.complain("\(file) has no shared secret to sign with.")
                return 1
            }
            Terminal.say(token)
            return 0
        } catch {
            Terminal.complain("\(file) \(error)")
            return 1
        }
    }

    private static func makeKeys(_ path: String) throws {
        guard !Files.isRegularFile(path) else { throw ValidationError("\(path) exists already.") }
        try Files.write(TokenKeys.newSecret(), to: path, mode: 0o600)
    }

    private static var now: Int { time(nil) }
}
