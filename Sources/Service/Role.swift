public import Configuration
public import Logging
public import Reactor
public import Tracing
public import WebAPI

/// What a role is made of: its configuration, and how it starts.
public struct Role: Sendable {
    /// The configuration's keys; its name is the service's in logs.
    public let schema: ConfigurationSchema
    /// What its routes want of tokens, besides `admin`.
    public let scopes: [Scope]
    let start: @ReactorActor (ServiceEnvironment) async throws(StartupError) -> RunningService

    /// Describes a role.
    public init(
        schema: ConfigurationSchema,
        scopes: [Scope] = [],
        start: @escaping @ReactorActor (ServiceEnvironment) async throws(StartupError) -> RunningService
    ) {
        self.schema = schema
        self.scopes = scopes
        self.start = start
    }
}

/// What a role is given when it starts.
public struct ServiceEnvironment: Sendable {
    /// The checked configuration.
    public let configuration: Configuration
    /// The service's log.
    public let logger: Logger
    /// Takes the parts of the service that have metrics.
    public let metrics: MetricsRegistry
    /// Takes the spans of recorded traces; nil when nobody collects them.
    public let tracer: Tracer?
    /// Certificates, for connections that are secure.
    public let tls: ServiceTLS
}

/// A role that has started.
public struct RunningService: Sendable {
    let routes: [Route]
    let fallback: (any PathFallback)?
    let requestTimeout: Duration
    let takesDeadlineFromCaller: Bool
    let documentation: ServiceDocumentation?
    let readiness: [ReadinessCheck]
    let adminRoutes: [Route]
    let reservedDescriptors: Int
    let reload: @ReactorActor (Configuration) throws(StartupError) -> Void
    let beginStop: @ReactorActor () -> Void
    let stop: @ReactorActor (Instant) async -> Void

    /// - Parameters:
    ///   - routes: What the service answers to, besides the operational routes that every service has.
    ///   - fallback: Takes what no route's path matches; nil answers 404.
    ///   - requestTimeout: Longest time for one request.
    ///   - takesDeadlineFromCaller: Whether `X-Request-Timeout-Ms` may shorten it; not on a hop that the public
    ///     reaches.
    ///   - documentation: What `/openapi.json` says of the service; nil for no such route.
    ///   - readiness: The parts that `/ready` asks.
    ///   - adminRoutes: What `admin.listen` answers to, for operators only.
    ///   - reservedDescriptors: Connections to others that the service may need; clients do not get their descriptors.
    ///   - reload: Takes what may change without a restart from a configuration that was read again, when the process
    ///     gets a SIGHUP. When it throws, nothing has changed.
    ///   - beginStop: Called when the service is asked to end, before its requests are drained: take no new work.
    ///   - stop: Called after the requests are drained: finish what is in flight until the instant, then close.
    public init(
        routes: [Route] = [],
        fallback: (any PathFallback)? = nil,
        requestTimeout: Duration = .seconds(10),
        takesDeadlineFromCaller: Bool = true,
        documentation: ServiceDocumentation? = nil,
        readiness: [ReadinessCheck],
        adminRoutes: [Route] = [],
        reservedDescriptors: Int = 0,
        reload: @escaping @ReactorActor (Configuration) throws(StartupError) -> Void = { _ in },
        beginStop: @escaping @ReactorActor () -> Void = {},
        stop: @escaping @ReactorActor (Instant) async -> Void
    ) {
        self.routes = routes
        self.fallback = fallback
        self.requestTimeout = requestTimeout
        self.takesDeadlineFromCaller = takesDeadlineFromCaller
        self.documentation = documentation
        self.readiness = readiness
        self.adminRoutes = adminRoutes
        self.reservedDescriptors = reservedDescriptors
        self.reload = reload
        self.beginStop = beginStop
        self.stop = stop
    }
}

/// Why a service did not start. The description is for the operator at the terminal.
public struct StartupError: Error, Sendable, CustomStringConvertible {
    /// What went wrong and, where it helps, what to do.
    public let description: String

    /// Makes an error.
    public init(_ description: String) { self.description = description }
}
