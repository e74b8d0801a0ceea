/// Decides, where a trace begins, whether it is recorded. Whoever continues a trace keeps to what was decided.
///
/// By the trace's id and nothing else, so that everybody with the same share decides alike.
///
/// - SeeAlso: OpenTelemetry, "TraceState: Probability Sampling", which takes the last 56 bits of a random id.
public struct TraceSampler: Hashable, Sendable {
    private static let bits = UInt64(1) << 56

    /// Traces whose last 56 bits are below this are recorded.
    private let threshold: UInt64

    /// - Parameter share: From 0 for no trace to 1 for all.
    public init(share: Double) {
        precondition((0...1).contains(share), "a share of \(share)")
        threshold = UInt64(share * Double(Self.bits))
    }

    func samples(_ trace: TraceID) -> Bool { trace.low % Self.bits < threshold }
}
