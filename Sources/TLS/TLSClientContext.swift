internal import COpenSSL

/// Why a context cannot be made. The description is for the operator at the terminal.
public struct TLSSetupError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file, and what is wrong with it.
    public let description: String

    init(_ path: String, _ complaint: String) { description = "\(path): \(complaint)" }

    /// What OpenSSL says of a file.
    init(openSSL path: String, _ complaint: String) {
        self.init(path, "\(complaint) (\(OpenSSLErrors.reason(OpenSSLErrors.take())))")
    }
}

/// Files of a certificate, its chain included, and of its private key, in PEM.
public struct TLSIdentity: Hashable, Sendable {
    /// The certificate and those of the authorities between it and a trusted one.
    public var certificate: String
    /// Its private key; the same file if it stands there, too.
    public var key: String

    /// Names the files.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// What the connections of a client have in common: whom they trust, and what servers remember of us.
///
/// Like every connection, it is used on the thread of the loop only; it may be made, and named in a configuration,
/// anywhere.
@safe public final class TLSClientContext: @unchecked Sendable {
    /// Most servers that are remembered.
    private static let rememberedMax = 256

    private let context: OpenSSLContext
    /// By name, what a handshake can go on with.
    private var sessions: [String: SavedSession] = [:]

    /// How many handshakes went on where an earlier connection ended.
    public internal(set) var resumptions = 0

    /// Reads the files; this blocks, as files do, and is for the start of a process.
    ///
    /// - Parameters:
    ///   - authorities: A file of the certificates to trust, in PEM; nil for those of the system.
    ///   - identity: What is shown to servers that ask for a certificate.
    ///   - verifies: Whether servers must prove who they are; false only for a question to this very machine.
    public init(
        authorities: String? = nil,
        identity: TLSIdentity? = nil,
        verifies: Bool = true
    ) throws(TLSSetupError) {
        self.context = OpenSSLContext(forServer: false)
        let context = unsafe self.context.pointer
        if let authorities {
            guard unsafe SSL_CTX_load_verify_file(context, authorities) == 1 else {
                throw TLSSetupError(openSSL: authorities, "has no certificates to trust")
            }
        } else {
            unsafe SSL_CTX_set_default_verify_paths(context)
        }
        if let identity { try self.context.use(identity) }
        unsafe SSL_CTX_set_verify(context, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        unsafe SSL_CTX_set_alpn_protos(context, ALPN.http11, UInt32(ALPN.http11.count))
        unsafe copenssl_set_cache_mode(context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
        unsafe SSL_CTX_sess_set_new_cb(context) { ssl, session in
            guard let session = unsafe session, let data = unsafe SSL_get_ex_data(ssl, 0) else { return 0 }
            let owner = unsafe Unmanaged<TLSSession>.fromOpaque(data).takeUnretainedValue()
            guard let client = owner.client, let host = owner.host else { return 0 }
            unsafe client.remember(SavedSession(session), of: host)
            return 1
        }
    }

    /// A connection to `host`, a name or a numeric address, as which the server must prove itself.
    public func makeSession(to host: String) -> TLSSession {
        let session = unsafe TLSSession(context.pointer, client: self, host: host)
        unsafe session.configure { ssl in
            let parameters = unsafe SSL_get0_param(ssl)
            if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, host) != 1 {
                // RFC 6066 §3: a name only, never an address.
                unsafe copenssl_set_server_name(ssl, host)
                unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
                unsafe X509_VERIFY_PARAM_set1_host(parameters, host, 0)
            }
            if let known = sessions[host] { unsafe SSL_set_session(ssl, known.pointer) }
        }
        return session
    }

    fileprivate func remember(_ session: SavedSession, of host: String) {
        if sessions.count >= Self.rememberedMax, sessions[host] == nil, let other = sessions.keys.first {
            sessions[other] = nil
        }
        sessions[host] = session
    }
}

/// What a handshake can go on with.
@safe private final class SavedSession {
    let pointer: OpaquePointer

    /// Owns `pointer`.
    init(_ pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe SSL_SESSION_free(pointer) }
}
