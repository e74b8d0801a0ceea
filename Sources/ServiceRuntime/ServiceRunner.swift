public import Configuration
internal import Glibc
internal import HTTPServer
internal import Logging
internal import Observability
internal import Reactor
internal import Tracing
internal import WebAPI

extension Service {
    /// Runs the service on the calling thread until a signal ends it.
    ///
    /// - Returns: The exit status: 0 after an orderly end, 1 when it could not start.
    public func run(_ configuration: Configuration) -> Int32 {
        Reactor.run { await runOnLoop(configuration) }
    }

    @ReactorActor
    private func runOnLoop(_ configuration: Configuration) async -> Int32 {
        bootstrapLogging(
            service: schema.service,
            format: configuration[LoggingSettings.format],
            level: configuration[LoggingSettings.level]
        )
        let logger = Logger(label: schema.service)
        // Before anything is started, so that a signal during the start is not lost.
        let signals = ShutdownSignals(logger: logger)
        do {
            let metrics = MetricsRegistry()
            let tracer = Tracer(configuration, service: schema.service, logger: logger)
            let environment = ServiceEnvironment(
                configuration: configuration,
                logger: logger,
                metrics: metrics,
                tracer: tracer
            )
            let service = try await start(environment)
            let server = try await listen(service, environment)
            await signals.wait()
            await drain(server, service, environment)
            return 0
        } catch {
            logger.critical("could not start", metadata: ["reason": "\(error)"])
            return 1
        }
    }

    @ReactorActor
    private func listen(
        _ service: RunningService,
        _ environment: ServiceEnvironment
    ) async throws(StartupError) -> HTTPServer {
        let (configuration, logger, metrics) = (environment.configuration, environment.logger, environment.metrics)
        let accessLog = AccessRecorder(logger: logger, share: configuration[LoggingSettings.accessSample])
        let routes = service.routes + OperationalRoutes.routes(service.readiness, metrics).map(\.untraced)
        let web = WebService(
            routes: service.documentation?.describing(routes, of: service, configuration, logger) ?? routes,
            requestTimeout: service.requestTimeout,
            takesDeadlineFromCaller: service.takesDeadlineFromCaller,
            tracer: environment.tracer
        )
        let requests = RequestMetrics(web.paths)
        web.onAnswered = { answered in
            requests.record(answered)
            accessLog.record(answered)
        }
        let server = HTTPServer(configuration: HTTPServerConfiguration(configuration), handler: web)
        metrics.addProcess(service: schema.service)
        metrics.add(server, web, requests)
        if let tracer = environment.tracer { metrics.add(tracer) }
        for endpoint in configuration[ServerSettings.listen] {
            do {
                let bound = try await server.listen(on: endpoint)
                logger.info("listening", metadata: ["address": "\(bound)"])
            } catch {
                throw StartupError("cannot listen on \(endpoint): \(error)")
            }
        }
        return server
    }

    @ReactorActor
    private func drain(
        _ server: HTTPServer,
        _ service: RunningService,
        _ environment: ServiceEnvironment
    ) async {
        let grace = environment.configuration[ShutdownSettings.grace]
        let deadline = Reactor.now + grace
        service.beginStop()
        await server.drain(within: grace)
        await service.stop(deadline)
        // Last, because what ended just now has spans too.
        await environment.tracer?.drain(within: max(.zero, deadline - Reactor.now))
        environment.logger.info("stopped")
    }
}
