import ArgumentParser
import Configuration
import Glibc
import HTTPClient
import HTTPWire
import Reactor
import Service

/// `tickloop health SERVICE`: what the health check of a container runs, as its image has no other HTTP client.
struct HealthCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Asks a service that runs on this machine whether it can do its work.",
        discussion: """
            Prints what the service answers; the exit status is 0 if it is well and 1 if not. The address is the first \
            of server.listen in the configuration that the service itself reads.
            """
    )

    @Argument(help: "The service.")
    var service: ServiceName

    @Flag(help: "Ask only whether its event loop turns, whatever else may be missing.")
    var alive = false

    @OptionGroup var options: ConfigurationOption

    func run() throws {
        let configuration = try options.load(service.schema)
        let path = alive ? "/health" : "/ready"
        Glibc.exit(Reactor.run { await Self.ask(configuration, path) })
    }

    /// - Returns: The exit status. Docker knows 0 and 1, and keeps the others for itself.
    @ReactorActor
    private static func ask(_ configuration: Configuration, _ path: String) async -> CInt {
        let address = configuration[ServerSettings.table].listen[0]
        var settings = HTTPClientConfiguration()
        // A service that is just being started is not well yet: whoever asks will ask again.
        settings.connectWindow = .zero
        do {
            if address.isSecure { settings.tls = try ServiceTLS.ownClient(configuration) }
        } catch {
            Terminal.complain("\(error)")
            return 1
        }
        let client = HTTPClient(upstream: address.endpoint, configuration: settings)
        let request = HTTPClientRequest(.get, target: path, authority: "localhost")
        do {
            let response = try await client.send(request, deadline: Reactor.now + .seconds(3))
            Terminal.say(String(decoding: response.body, as: UTF8.self))
            return response.status == .ok ? 0 : 1
        } catch {
            Terminal.complain("\(address) does not answer: \(error)")
            return 1
        }
    }
}
