internal import COpenSSL

/// What the connections of a server have in common: its certificates, and what it asks of clients. It never changes.
@safe public final class TLSServerContext: @unchecked Sendable {
    /// Whether clients show certificates.
    public enum ClientCertificates: String, CaseIterable, Sendable {
        /// They are not asked.
        case none
        /// They are asked, and may have none; one that is shown must be good.
        case optional
        /// Who shows none is refused.
        case required
    }

    /// Ciphers of TLS 1.2: those with forward secrecy and authenticated encryption, as TLS 1.3 has no others.
    private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"

    /// One context for each certificate; the first one's is for clients that name no host, or an unknown one.
    private let contexts: [OpenSSLContext]

    /// Reads the files; this blocks, as files do, and is for the start of a process and for SIGHUP.
    ///
    /// - Parameters:
    ///   - identities: At least one. A client gets the one whose certificate is for the host that it names.
    ///   - clients: Whether clients show certificates.
    ///   - clientAuthorities: A file of the certificates, in PEM, that vouch for clients.
    public init(
        identities: [TLSIdentity],
        clients: ClientCertificates = .none,
        clientAuthorities: String? = nil
    ) throws(TLSSetupError) {
        precondition(!identities.isEmpty, "a server needs a certificate")
        precondition(clients == .none || clientAuthorities != nil, "clients' certificates need an authority")
        var contexts: [OpenSSLContext] = []
        for identity in identities { contexts.append(try Self.context(identity, clients, clientAuthorities)) }
        self.contexts = contexts
        guard contexts.count > 1 else { return }
        // The first one asks; sessions keep this object, and so all of them, alive.
        unsafe copenssl_on_server_name(contexts[0].pointer, chooseByName, Unmanaged.passUnretained(self).toOpaque())
    }

    /// A connection of a client.
    public func makeSession() -> TLSSession { unsafe TLSSession(contexts[0].pointer, server: self) }

    private static func context(
        _ identity: TLSIdentity,
        _ clients: ClientCertificates,
        _ authorities: String?
    ) throws(TLSSetupError) -> OpenSSLContext {
        let owner = OpenSSLContext(forServer: true)
        let context = unsafe owner.pointer
        try owner.use(identity)
        unsafe SSL_CTX_set_options(context, copenssl_server_preference)
        unsafe SSL_CTX_set_cipher_list(context, ciphers)
        // What a client may resume with is in its ticket; nothing is kept here.
        unsafe copenssl_set_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        let name = Array("tickloop".utf8)
        unsafe SSL_CTX_set_session_id_context(context, name, UInt32(name.count))
        unsafe SSL_CTX_set_alpn_select_cb(context, chooseProtocol, nil)
        guard clients != .none, let authorities else { return owner }
        guard unsafe SSL_CTX_load_verify_file(context, authorities) == 1,
            let names = unsafe SSL_load_client_CA_file(authorities)
        else { throw TLSSetupError(openSSL: authorities, "has no certificates to trust") }
        unsafe SSL_CTX_set_client_CA_list(context, names)
        let required = clients == .required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, nil)
        return owner
    }

    /// The context whose certificate is for `host`.
    @unsafe fileprivate func context(for host: UnsafePointer<CChar>) -> OpenSSLContext? {
        contexts.first { context in
            unsafe X509_check_host(SSL_CTX_get0_certificate(context.pointer), host, 0, 0, nil) == 1
        }
    }
}

private let chooseByName:
    @convention(c) (OpaquePointer?, UnsafeMutablePointer<CInt>?, UnsafeMutableRawPointer?) -> CInt = {
        ssl,
        _,
        argument in
        guard let argument = unsafe argument,
            let name = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)
        else { return SSL_TLSEXT_ERR_OK }
        let server = unsafe Unmanaged<TLSServerContext>.fromOpaque(argument).takeUnretainedValue()
        if let context = unsafe server.context(for: name) { unsafe SSL_set_SSL_CTX(ssl, context.pointer) }
        return SSL_TLSEXT_ERR_OK
    }

/// `http/1.1`, or an alert for a client that offers only others; RFC 7301 §3.2.
private let chooseProtocol:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
        UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
    ) -> CInt = { _, chosen, chosenBytes, offered, offeredBytes, _ in
        let offers = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredBytes))
        var position = 0
        while position < offers.count {
            let end = unsafe position + 1 + Int(offers[position])
            guard end <= offers.count else { break }
            if unsafe offers[position..<end].elementsEqual(ALPN.http11), let start = offers.baseAddress {
                unsafe chosen?.pointee = start + position + 1
                unsafe chosenBytes?.pointee = 8
                return SSL_TLSEXT_ERR_OK
            }
            position = end
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }
