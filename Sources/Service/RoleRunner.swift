internal import Access
internal import Admin
public import Configuration
internal import Glibc
internal import HTTPServer
internal import Logging
internal import Logs
internal import Metrics
internal import Reactor
internal import Redis
internal import TLS
internal import Tracing
internal import WebAPI

extension Role {
    /// Runs the service on the calling thread until a signal ends it.
    ///
    /// - Parameters:
    ///   - warnings: What is to be said before anything else.
    ///   - reread: The configuration as it is now, for a SIGHUP.
    /// - Returns: The exit status: 0 after an orderly end, 1 when it could not start.
    public func run(
        _ configuration: Configuration,
        warnings: [String] = [],
        reread: @escaping @Sendable () throws(ConfigurationProblems) -> Configuration
    ) -> Int32 {
        Reactor.run { await runOnLoop(configuration, warnings, reread) }
    }

    @ReactorActor
    private func runOnLoop(
        _ configuration: Configuration,
        _ warnings: [String],
        _ reread: @escaping @Sendable () throws(ConfigurationProblems) -> Configuration
    ) async -> Int32 {
        let logging = configuration[LoggingSettings.table]
        bootstrapLogging(service: schema.service, format: logging.format, level: logging.level)
        let logger = Logger(label: schema.service)
        for warning in warnings { logger.warning("\(warning)") }
        // Before anything is started, so that a signal during the start is not lost.
        let signals = ShutdownSignals(logger: logger)
        do {
            let metrics = MetricsRegistry()
            let tls = ServiceTLS(configuration)
            let tracer = try Tracer(configuration, service: schema.service, tls: tls, logger: logger)
            let environment = ServiceEnvironment(
                configuration: configuration,
                logger: logger,
                metrics: metrics,
                tracer: tracer,
                tls: tls
            )
            let access = try await access(environment)
            let service = try await start(environment)
            let server = try await listen(service, environment, access)
            let others = [
                try await listenForMetrics(environment),
                try await listenForOperators(service, environment, access),
            ].compactMap { $0 }
            signals.onHangup = {
                tls.renew([server] + others, logger)
                access?.reload()
                Self.reload(service, reread, logger)
            }
            let announcer = announcer(environment)
            announcer?.start()
            SpareMemory.keepReleasing()
            await signals.wait()
            await announcer?.stop()
            await drain(server, service, environment)
            for other in others { other.close() }
            return 0
        } catch {
            logger.critical("could not start", metadata: ["reason": "\(error)"])
            return 1
        }
    }

    /// Takes what may change, or says why not.
    @ReactorActor
    private static func reload(
        _ service: RunningService,
        _ reread: @Sendable () throws(ConfigurationProblems) -> Configuration,
        _ logger: Logger
    ) {
        do {
            try service.reload(try reread())
            logger.info("configuration read again")
        } catch {
            logger.error("configuration refused, nothing has changed", metadata: ["reason": "\(error)"])
        }
    }

    @ReactorActor
    private func listen(
        _ service: RunningService,
        _ environment: ServiceEnvironment,
        _ access: BearerGuard?
    ) async throws(StartupError) -> HTTPServer {
        let (configuration, logger, metrics) = (environment.configuration, environment.logger, environment.metrics)
        let settings = configuration[ServerSettings.table]
        let accessLog = AccessRecorder(logger: logger, share: configuration[LoggingSettings.table].accessSample)
        let tellsMetrics = settings.metricsListen.isEmpty
        let operational =
            OperationalRoutes.routes(service.readiness) + (tellsMetrics ? [OperationalRoutes.metrics(metrics)] : [])
        let routes = (service.routes + operational.map(\.untraced)).map { access?.guarding($0) ?? $0 }
        let described = service.documentation?.describing(routes, of: service, configuration, logger) ?? routes
        let web = WebService(
            routes: described,
            fallback: service.fallback,
            access: access,
            policy: policy(configuration, for: described),
            requestTimeout: service.requestTimeout,
            takesDeadlineFromCaller: service.takesDeadlineFromCaller,
            tracer: environment.tracer
        )
        let requests = RequestMetrics(web.paths)
        web.onAnswered = { answered in
            requests.record(answered)
            accessLog.record(answered)
        }
        var serverConfiguration = settings.http
        serverConfiguration.fit(
            intoDescriptors: Descriptors.raiseLimit(),
            reserved: service.reservedDescriptors,
            logger
        )
        let server = HTTPServer(configuration: serverConfiguration, handler: web)
        metrics.register(ProcessMetrics(service: schema.service))
        metrics.register(server)
        metrics.register(web)
        metrics.register(requests)
        if let tracer = environment.tracer { metrics.register(tracer) }
        try await listen(server, on: settings.listen, environment)
        return server
    }

    private func has(_ section: ConfigurationSection) -> Bool { schema.sections.contains { $0.name == section.name } }

    /// What is done with answers for browsers, if the configuration says.
    @ReactorActor
    private func policy(_ configuration: Configuration, for routes: [Route]) -> AnswerPolicy? {
        guard has(AnswerSettings.table.section) else { return nil }
        return configuration[AnswerSettings.table].policy(for: routes)
    }

    /// Who may ask for what, if the configuration says.
    @ReactorActor
    private func access(_ environment: ServiceEnvironment) async throws(StartupError) -> BearerGuard? {
        guard has(AuthSettings.table.section) else { return nil }
        do throws(AccessProblem) {
            return try await BearerGuard(
                environment.configuration[AuthSettings.table],
                tls: { () throws(TLSSetupError) in try environment.tls.client() },
                logger: environment.logger
            )
        } catch {
            throw StartupError(error.description)
        }
    }

    /// A server of its own for `/metrics`, if the configuration wants one: where the other is the public's.
    @ReactorActor
    private func listenForMetrics(_ environment: ServiceEnvironment) async throws(StartupError) -> HTTPServer? {
        let settings = environment.configuration[ServerSettings.table]
        guard !settings.metricsListen.isEmpty else { return nil }
        let web = WebService(
            routes: [OperationalRoutes.metrics(environment.metrics)],
            requestTimeout: .seconds(10),
            takesDeadlineFromCaller: false
        )
        let server = HTTPServer(configuration: settings.http, handler: web)
        try await listen(server, on: settings.metricsListen, environment)
        return server
    }

    /// Says that the process is there, where there is a Redis to say it to.
    @ReactorActor
    private func announcer(_ environment: ServiceEnvironment) -> ProcessAnnouncer? {
        let configuration = environment.configuration
        guard schema.sections.contains(where: { $0.name == RedisSettings.table.section.name }) else { return nil }
        return ProcessAnnouncer(
            ProcessAnnouncer.Card(
                role: schema.service,
                version: Product.version,
                addresses: configuration[ServerSettings.table].listen.map(\.description)
            ),
            redis: RedisConfiguration(configuration, name: schema.service)
        ) { [metrics = environment.metrics] in
            await metrics.page().announced
        }
    }

    /// A server of its own for `/admin/…` and `/console`.
    @ReactorActor
    private func listenForOperators(
        _ service: RunningService,
        _ environment: ServiceEnvironment,
        _ access: BearerGuard?
    ) async throws(StartupError) -> HTTPServer? {
        guard !service.adminRoutes.isEmpty else { return nil }
        let settings = environment.configuration[AdminSettings.table]
        guard !settings.listen.isEmpty else { return nil }
        let web = WebService(
            routes: service.adminRoutes.map { access?.guarding($0) ?? $0 },
            access: access?.forBrowsers,
            requestTimeout: service.requestTimeout,
            takesDeadlineFromCaller: false
        )
        let door = AdminDoor(hosts: settings.hosts)
        web.door = { head in door.refusal(head) }
        let isPortShared = environment.configuration[ServerSettings.table].http.isPortShared
        let server = HTTPServer(configuration: settings.http(isPortShared: isPortShared), handler: web)
        do {
            try await listen(server, on: settings.listen, environment)
        } catch {
            // What the public is answered does not end with what operators are.
            environment.logger.error("operators are not answered", metadata: ["reason": "\(error)"])
            server.close()
            return nil
        }
        return server
    }

    @ReactorActor
    private func listen(
        _ server: HTTPServer,
        on addresses: [ServiceAddress],
        _ environment: ServiceEnvironment
    ) async throws(StartupError) {
        if addresses.contains(where: \.isSecure) { server.tls = try environment.tls.server() }
        for address in addresses {
            do {
                let bound = try await server.listen(on: address.endpoint, isSecure: address.isSecure)
                let told = ServiceAddress(bound, isSecure: address.isSecure)
                environment.logger.info("listening", metadata: ["address": "\(told)"])
            } catch {
                throw StartupError("cannot listen on \(address): \(error)")
            }
        }
    }

    @ReactorActor
    private func drain(
        _ server: HTTPServer,
        _ service: RunningService,
        _ environment: ServiceEnvironment
    ) async {
        let grace = environment.configuration[ShutdownSettings.table].grace
        let deadline = Reactor.now + grace
        service.beginStop()
        await server.drain(within: grace)
        await service.stop(deadline)
        // Last, because what ended just now has spans too.
        await environment.tracer?.drain(within: max(.zero, deadline - Reactor.now))
        environment.logger.info("stopped")
    }
}
