internal import COpenSSL

/// An `SSL_CTX` with what both sides have in common: TLS 1.2 and 1.3, nothing that can be renegotiated, and no buffers
/// while a connection is idle.
@safe final class OpenSSLContext {
    let pointer: OpaquePointer

    init(forServer isServer: Bool) {
        guard let pointer = unsafe SSL_CTX_new(isServer ? TLS_server_method() : TLS_client_method()) else {
            preconditionFailure("OpenSSL has no memory")
        }
        unsafe self.pointer = pointer
        OpenSSLErrors.clear()
        unsafe copenssl_set_min_version(pointer, TLS1_2_VERSION)
        unsafe SSL_CTX_set_options(pointer, copenssl_no_renegotiation | copenssl_no_compression)
        unsafe copenssl_set_mode(pointer, Int(SSL_MODE_RELEASE_BUFFERS))
        // A record in one piece, in place of its head and then the rest.
        unsafe copenssl_set_read_ahead(pointer)
        // A key that needs a passphrase is refused, and nobody is asked for one.
        unsafe SSL_CTX_set_default_passwd_cb(pointer) { _, _, _, _ in -1 }
    }

    deinit { unsafe SSL_CTX_free(pointer) }

    /// Reads a certificate and its key.
    func use(_ identity: TLSIdentity) throws(TLSSetupError) {
        OpenSSLErrors.clear()
        guard unsafe SSL_CTX_use_certificate_chain_file(pointer, identity.certificate) == 1 else {
            throw TLSSetupError(openSSL: identity.certificate, "is not a certificate in PEM")
        }
        guard unsafe SSL_CTX_use_PrivateKey_file(pointer, identity.key, SSL_FILETYPE_PEM) == 1 else {
            let error = OpenSSLErrors.take()
            let isOther = ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH
            throw TLSSetupError(
                identity.key,
                isOther
                    ? "does not fit the certificate \(identity.certificate)"
                    : "is not a private key in PEM without a passphrase (\(OpenSSLErrors.reason(error)))"
            )
        }
        guard unsafe SSL_CTX_check_private_key(pointer) == 1 else {
            throw TLSSetupError(openSSL: identity.key, "does not fit the certificate \(identity.certificate)")
        }
    }
}

/// What is spoken above TLS; RFC 7301.
enum ALPN {
    /// The one protocol, with its length before it.
    static let http11: [UInt8] = [8] + Array("http/1.1".utf8)
}
