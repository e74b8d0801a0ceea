internal import Configuration
internal import Glibc
internal import Logging
internal import Reactor
internal import Tracing

extension Tracer {
    /// The tracer that a service's configuration asks for; nil if it asks for none.
    @ReactorActor
    convenience init?(
        _ configuration: Configuration,
        service: String,
        tls: ServiceTLS,
        logger: Logger
    ) throws(StartupError) {
        let settings = configuration[TracingSettings.table]
        guard let collector = settings.collector else { return nil }
        var spans = settings.spans
        spans.collector = collector
        spans.tls = try tls.client(if: collector.isSecure)
        spans.batchSpans = min(spans.batchSpans, spans.queueSpans)
        self.init(spans, resource: Self.resource(of: service), logger: logger)
    }

    /// OpenTelemetry's "Resource Semantic Conventions".
    private static func resource(of service: String) -> [SpanAttribute] {
        [
            SpanAttribute("service.name", .text("tickloop-\(service)")),
            SpanAttribute("service.namespace", "tickloop"),
            SpanAttribute("service.instance.id", .text("\(hostName):\(getpid())")),
            SpanAttribute("service.version", .text(Product.version)),
            SpanAttribute("host.name", .text(hostName)),
            SpanAttribute("process.pid", .integer(Int(getpid()))),
        ]
    }

    private static let hostName: String = {
        var bytes = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()
}
