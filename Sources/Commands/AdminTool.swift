import ArgumentParser
import Basics
import Configuration
import Glibc
import HTTPClient
import HTTPWire
import InternalAPI
import JSONWire
import Reactor
import Service
import TLS

/// Start-up of the commands that ask the admin listener, as the console does, and end.
struct AdminTool: ParsableArguments {
    /// What the listener is asked.
    struct Question: Sendable {
        let method: HTTPMethod
        let target: String
        var body: JSONValue?
    }

    @Option(
        name: .customLong("admin"),
        help: "The admin listener: http://HOST:PORT. Default: TICKLOOP_ADMIN_URL, else admin.listen of the API."
    )
    var url: String?

    @Option(name: .customLong("as"), help: "Who acts, for the audit log. Default: the user of this shell.")
    var name: String?

    @OptionGroup var options: ConfigurationOption

    /// Asks, and ends the process with the status that `show` returns; what was refused is said and ends it with 1.
    func run(_ question: Question, _ show: @escaping @Sendable (JSONValue) -> CInt) throws -> Never {
        let base = try base()
        let variables = ProcessEnvironment.variables
        let name = name ?? variables["SUDO_USER"] ?? variables["USER"] ?? variables["LOGNAME"] ?? "somebody"
        let token = variables["TICKLOOP_TOKEN"]
        Glibc.exit(Reactor.run { await Self.ask(base, question, as: name, token, show) })
    }

    /// The same where nothing but that it is done is to be said.
    func run(_ question: Question, done: String) throws -> Never {
        try run(question) { _ in
            Terminal.say(done)
            return 0
        }
    }

    /// Where the listener is, and as what it is asked.
    private struct Base: Sendable {
        let endpoint: Endpoint
        let authority: String
        let tls: @ReactorActor @Sendable () throws -> TLSClientContext?
    }

    private func base() throws -> Base {
        if let url = url ?? ProcessEnvironment.variables["TICKLOOP_ADMIN_URL"] {
            guard let base = HTTPBaseURL(parsing: url), base.path.isEmpty else {
                throw ValidationError("\(url) is not of the form http[s]://HOST:PORT.")
            }
            return Base(endpoint: base.endpoint, authority: base.authority) {
                base.isSecure ? try TLSClientContext() : nil
            }
        }
        let configuration = try options.load(Role.internalAPI.schema)
        guard let address = configuration[AdminSettings.table].listen.first else {
            Terminal.complain("The API has no admin listener: admin.listen is empty.")
            throw ExitCode(69)  // EX_UNAVAILABLE of sysexits.h
        }
        return Base(endpoint: address.endpoint, authority: "localhost") {
            address.isSecure ? try ServiceTLS.ownClient(configuration) : nil
        }
    }

    @ReactorActor
    private static func ask(
        _ base: Base,
        _ question: Question,
        as name: String,
        _ token: String?,
        _ show: @Sendable (JSONValue) -> CInt
    ) async -> CInt {
        var settings = HTTPClientConfiguration()
        settings.connectWindow = .zero
        do { settings.tls = try base.tls() } catch {
            Terminal.complain("\(error)")
            return 1
        }
        let client = HTTPClient(upstream: base.endpoint, configuration: settings)
        defer { client.close() }
        var fields: HTTPFields = ["X-Operator": name]
        if question.body != nil { fields.append("Content-Type", "application/json") }
        if let token { fields.append("Authorization", "Bearer \(token)") }
        let request = HTTPClientRequest(
            question.method,
            target: question.target,
            authority: base.authority,
            fields: fields,
            body: question.body?.encoded
        )
        do {
            let response = try await client.send(request, deadline: Reactor.now + .seconds(15))
            guard let body = try? JSONValue(parsing: response.body, limits: JSONLimits(bytes: 16 << 20)) else {
                Terminal.complain("\(base.endpoint) answered \(response.status.code), and no JSON.")
                return 1
            }
            guard response.status == .ok else {
                complain(body)
                return 1
            }
            return show(body)
        } catch {
            Terminal.complain("The admin listener at \(base.endpoint) does not answer: \(error).")
            return 69  // EX_UNAVAILABLE of sysexits.h
        }
    }

    /// Says every fault of a refusal.
    private static func complain(_ refusal: JSONValue) {
        let details = (refusal["details"]?.array ?? []).compactMap { $0["message"]?.string }
        for line in details.isEmpty ? [refusal["message"]?.string ?? refusal.description] : details {
            Terminal.complain(line)
        }
    }
}

extension String {
    /// Fit to stand in a query.
    var percentEncoded: String {
        utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "/"):
                String(UnicodeScalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        .joined()
    }
}
