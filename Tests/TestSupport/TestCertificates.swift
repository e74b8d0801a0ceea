public import Reactor
import Supervision

/// An authority for tests, and certificates of it, made by `openssl`.
@ReactorActor
public final class TestCertificates {
    /// A certificate with its key, in PEM.
    public struct Pair: Sendable {
        /// The certificate's path.
        public let certificate: String
        /// The key's path.
        public let key: String

        /// Names the files.
        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// From when until when a certificate is valid.
    public enum Validity: Sendable {
        /// Now.
        case now
        /// No more, and not yet.
        case past, future

        fileprivate var arguments: [String] {
            switch self {
            case .now: ["-days", "30"]
            case .past: ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"]
            case .future: ["-startdate", "20480101000000Z", "-enddate", "20490101000000Z"]
            }
        }
    }

    private static let shared = Shared { try await TestCertificates() }
    /// One authority for all, made when the first test asks.
    public static func get() async throws -> TestCertificates { try await shared.value() }

    /// The authority's certificate.
    public var authority: String { "\(folder)/ca.pem" }
    private let folder: String
    private var count = 0

    /// Makes an authority of its own.
    public init() async throws {
        folder = try TestFolder.make()
        try Files.write("", to: "\(folder)/index")
        try Files.write(
            """
            [ca]
            default_ca = tests
            [tests]
            database = \(folder)/index
            new_certs_dir = \(folder)
            rand_serial = yes
            policy = any
            default_md = sha256
            copy_extensions = copy
            unique_subject = no
            [any]
            commonName = optional

            """,
            to: "\(folder)/ca.conf"
        )
        try await selfSign("ca", subject: "Tests", extension: "keyUsage=critical,keyCertSign")
    }

    /// A certificate of the authority.
    ///
    /// - Parameter names: As in `subjectAltName`: `DNS:localhost`, `IP:127.0.0.1`.
    public func certificate(for names: String, valid validity: Validity = .now) async throws -> Pair {
        let path = nextPath()
        try await TestCertificates.openssl(
            ["req", "-newkey"] + Self.key + ["-keyout", "\(path).key", "-out", "\(path).csr", "-subj", "/CN=\(count)"]
                + ["-addext", "subjectAltName=\(names)"]
        )
        try await TestCertificates.openssl(
            ["ca", "-batch", "-notext", "-config", "\(folder)/ca.conf", "-cert", authority]
                + ["-keyfile", "\(folder)/ca.key", "-in", "\(path).csr", "-out", "\(path).pem"] + validity.arguments
        )
        return Pair(certificate: "\(path).pem", key: "\(path).key")
    }

    /// A certificate that vouches for itself.
    public func selfSigned(for names: String) async throws -> Pair {
        let path = nextPath()
        try await selfSign(
            String(path.dropFirst(folder.count + 1)),
            subject: "\(count)",
            extension: "subjectAltName=\(names)"
        )
        return Pair(certificate: "\(path).pem", key: "\(path).key")
    }

    private static let key = ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    private func nextPath() -> String {
        count += 1
        return "\(folder)/\(count)"
    }

    private func selfSign(_ name: String, subject: String, extension field: String) async throws {
        try await TestCertificates.openssl(
            ["req", "-x509", "-newkey"] + Self.key + [
                "-keyout", "\(folder)/\(name).key", "-out", "\(folder)/\(name).pem",
            ]
                + ["-days", "30", "-subj", "/CN=\(subject)", "-addext", field]
        )
    }

    /// Runs the command to its end, and returns what it printed.
    ///
    /// - Parameter input: What it reads; nil for nothing.
    @discardableResult
    public static func openssl(
        _ arguments: [String],
        input: String? = nil,
        succeeds: Bool = true
    ) async throws -> [String] {
        var lines: [String] = []
        let ended = Promise<WaitStatus, Never>()
        guard let program = Executable.find("openssl", alsoIn: []) else {
            throw TestFailure(description: "openssl is not installed")
        }
        var command = Command(program, arguments, parentDeathSignal: .kill)
        if let input {
            command.standardInput = "\(try TestFolder.make())/input"
            try Files.write(input, to: command.standardInput)
        }
        let child = try ChildProcess(
            command,
            onLine: { lines.append($0) },
            onEnd: { ended.succeed($0) }
        )
        let status = await ended.result
        withExtendedLifetime(child) {}
        guard !succeeds || status == .success(.exited(0)) else {
            throw TestFailure(description: "openssl \(arguments[0]): \(lines.joined(separator: "\n"))")
        }
        return lines
    }
}
