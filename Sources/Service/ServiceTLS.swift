public import Configuration
public import HTTPClient
internal import HTTPServer
internal import Logging
public import Reactor
public import TLS

/// What a service has for secure connections, made from its `[tls]`.
@ReactorActor
public final class ServiceTLS {
    private let settings: TLSSettings
    /// Made by the first that needs it: the system's certificates are a megabyte.
    private var madeClient: TLSClientContext?

    init(_ configuration: Configuration) { settings = configuration[TLSSettings.table] }

    /// For the connections that the service makes; a server that asks for a certificate is shown the first of ours.
    public func client() throws(TLSSetupError) -> TLSClientContext {
        if let madeClient { return madeClient }
        let client = try TLSClientContext(authorities: settings.authorities, identity: settings.identities.first)
        madeClient = client
        return client
    }

    /// For the connections to a server; nil for one that is not asked over TLS.
    public func client(for url: HTTPBaseURL) throws(StartupError) -> TLSClientContext? {
        try client(if: url.isSecure)
    }

    /// For the connections to a server of our own; nil for one that is not asked over TLS.
    public func client(for address: ServiceAddress) throws(StartupError) -> TLSClientContext? {
        try client(if: address.isSecure)
    }

    func client(if isNeeded: Bool) throws(StartupError) -> TLSClientContext? {
        guard isNeeded else { return nil }
        do { return try client() } catch { throw StartupError("tls: \(error)") }
    }

    /// For a question to the service itself, on its own machine, whose name the certificate does not have.
    public static func ownClient(_ configuration: Configuration) throws(StartupError) -> TLSClientContext {
        let settings = configuration[TLSSettings.table]
        do {
            return try TLSClientContext(identity: settings.identities.first, verifies: false)
        } catch {
            throw StartupError("tls: \(error)")
        }
    }

    /// For the connections of its clients.
    func server() throws(StartupError) -> TLSServerContext {
        guard !settings.certificates.isEmpty else {
            throw StartupError("tls.certificates: is needed to listen on an address that begins with https://")
        }
        do {
            return try TLSServerContext(
                identities: settings.identities,
                clients: settings.clients,
                clientAuthorities: settings.clientAuthorities
            )
        } catch {
            throw StartupError("tls: \(error)")
        }
    }

    /// Reads the files again, for connections that come from now on. Files with a fault change nothing.
    func renew(_ servers: [HTTPServer], _ logger: Logger) {
        let secure = servers.filter { $0.tls != nil }
        guard !secure.isEmpty else { return }
        do {
            let context = try server()
            for server in secure { server.tls = context }
            logger.info("certificates were read again")
        } catch {
            logger.error("certificates stay as they are", metadata: ["reason": "\(error)"])
        }
    }
}
