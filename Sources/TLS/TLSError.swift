internal import COpenSSL

/// Why there is no secure connection, or no longer.
public enum TLSError: Error, Hashable, Sendable {
    /// The other side's certificate is not one to trust.
    case certificate(CertificateFault)
    /// The other side refused us, and said why in the words of RFC 8446 §6.2.
    case refused(String)
    /// The other side does not speak TLS.
    case notTLS
    /// The two sides have no version or cipher in common.
    case nothingInCommon
    /// The connection ended without the word that it ends: something may be missing.
    case truncated
    /// Anything else, in OpenSSL's words.
    case failed(String)
}

/// What is wrong with a certificate.
public enum CertificateFault: Hashable, Sendable {
    /// Its time is over.
    case expired
    /// Its time has not come.
    case notYetValid
    /// It vouches for itself, and is not among the trusted ones.
    case selfSigned
    /// Nobody who is trusted vouches for it.
    case unknownAuthority
    /// It is another host's.
    case otherHost
    /// There is none, where one is asked for.
    case missing
    /// Its authority has withdrawn it.
    case revoked
    /// Anything else, in OpenSSL's words.
    case other(String)
}

extension TLSError: CustomStringConvertible {
    /// Safe for a log line and for a metric label: bounded, and free of payload.
    public var description: String {
        switch self {
        case .certificate(let fault): "TLS: \(fault)"
        case .refused(let reason): "TLS: refused by the other side: \(reason)"
        case .notTLS: "TLS: the other side does not speak TLS"
        case .nothingInCommon: "TLS: no version or cipher in common"
        case .truncated: "TLS: the connection was cut"
        case .failed(let reason): "TLS: \(reason)"
        }
    }
}

extension CertificateFault: CustomStringConvertible {
    /// For a person who looks after the service.
    public var description: String {
        switch self {
        case .expired: "the certificate has expired"
        case .notYetValid: "the certificate is not valid yet"
        case .selfSigned: "the certificate is self-signed, and not trusted"
        case .unknownAuthority: "the certificate is of an unknown authority"
        case .otherHost: "the certificate is for another host"
        case .missing: "the other side has shown no certificate"
        case .revoked: "the certificate is revoked"
        case .other(let reason): "the certificate cannot be verified: \(reason)"
        }
    }
}

extension CertificateFault {
    /// Reads OpenSSL's result of a verification; `verify(1)` of OpenSSL lists them.
    init(verification code: CInt) {
        switch code {
        case X509_V_ERR_CERT_HAS_EXPIRED: self = .expired
        case X509_V_ERR_CERT_NOT_YET_VALID: self = .notYetValid
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: self = .selfSigned
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT,
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            self = .unknownAuthority
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: self = .otherHost
        case X509_V_ERR_CERT_REVOKED: self = .revoked
        default: self = unsafe .other(String(cString: X509_verify_cert_error_string(Int(code))))
        }
    }
}

/// OpenSSL's queue of errors of this thread.
enum OpenSSLErrors {
    /// Forgets what earlier calls left behind.
    static func clear() { ERR_clear_error() }

    /// The first error, which is the cause of the others; takes all.
    static func take() -> UInt {
        let error = ERR_peek_error()
        ERR_clear_error()
        return error
    }

    /// What `error` means, in OpenSSL's words.
    static func reason(_ error: UInt) -> String {
        guard let text = unsafe ERR_reason_error_string(error) else { return "error \(error)" }
        return unsafe String(cString: text)
    }
}

extension TLSError {
    /// What a failed call on `ssl` means.
    @unsafe init(of ssl: OpaquePointer) {
        let verification = unsafe CInt(SSL_get_verify_result(ssl))
        let error = OpenSSLErrors.take()
        let reason = ERR_GET_REASON(error)
        switch reason {
        case SSL_R_CERTIFICATE_VERIFY_FAILED: self = .certificate(CertificateFault(verification: verification))
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: self = .certificate(.missing)
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: self = .notTLS
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_SHARED_CIPHER: self = .nothingInCommon
        case SSL_AD_REASON_OFFSET..<(SSL_AD_REASON_OFFSET + 256):
            self = unsafe .refused(String(cString: SSL_alert_desc_string_long(reason - SSL_AD_REASON_OFFSET)))
        default: self = .failed(OpenSSLErrors.reason(error))
        }
    }
}
