internal import Configuration
internal import TLS

/// `[tls]`: the certificates of a service, and whom it trusts.
struct TLSSettings: Sendable {
    var certificates: [String] = []
    var keys: [String] = []
    var clients = TLSServerContext.ClientCertificates.none
    var clientAuthorities: String?
    var authorities: String?

    static let table = ConfigurationTable(
        "tls",
        "Files, in PEM, for addresses that begin with https://; read at the start, and again on SIGHUP",
        Self()
    ) {
        Key(
            "certificates",
            \.certificates,
            count: 0...64,
            form: "a path",
            "Certificates with their chains; a client gets the one for the host that it names, or the first",
            parse: { $0.isEmpty ? nil : $0 }
        )
        Key(
            "keys",
            \.keys,
            count: 0...64,
            form: "a path",
            "Their private keys, in the same order; none if each stands in the file of its certificate",
            parse: { $0.isEmpty ? nil : $0 }
        )
        Key(
            "client_certificates",
            \.clients,
            "Whether clients show a certificate: not asked, asked, or refused without one"
        )
        Key(
            "client_authorities",
            \.clientAuthorities,
            upTo: 1024,
            "Certificates that vouch for clients"
        )
        Key(
            "authorities",
            \.authorities,
            upTo: 1024,
            "Certificates that vouch for the servers asked from here; empty for those of the system"
        )
    }
    .requiring { tls, configuration in
        var problems: [ConfigurationProblem] = []
        if !tls.keys.isEmpty, tls.keys.count != tls.certificates.count {
            problems.append(configuration.problem(with: "tls.keys", "must be as many as tls.certificates, or none"))
        }
        if tls.clients != .none, tls.clientAuthorities == nil {
            problems.append(
                configuration.problem(with: "tls.client_certificates", "needs tls.client_authorities to judge them by")
            )
        }
        let server = configuration[ServerSettings.table]
        for (key, addresses) in [("listen", server.listen), ("metrics_listen", server.metricsListen)] {
            guard tls.certificates.isEmpty, let secure = addresses.first(where: \.isSecure) else { continue }
            let complaint = "holds \(secure), which needs tls.certificates"
            problems.append(configuration.problem(with: "server.\(key)", complaint))
        }
        return problems
    }

    /// Each certificate with its key.
    var identities: [TLSIdentity] {
        zip(certificates, keys.isEmpty ? certificates : keys).map { TLSIdentity(certificate: $0, key: $1) }
    }
}
