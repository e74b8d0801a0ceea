/// What other tracing systems want carried along with a trace: passed on as it came, never looked into.
///
/// - SeeAlso: W3C Trace Context, §3.3 "Tracestate Header".
public enum TraceState {
    /// The longest that is passed on; the specification asks for at least 512 bytes.
    static let limitBytes = 512

    /// The header's lines as one value; nil when there is none, or none that may be passed on.
    public static func joining(_ lines: [String]) -> String? {
        guard !lines.isEmpty else { return nil }
        let state = lines.count == 1 ? lines[0] : lines.joined(separator: ",")
        // The members are separated by a comma and optional white space, which a tab is too.
        guard (1...limitBytes).contains(state.utf8.count),
            state.utf8.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x09 })
        else { return nil }
        return state
    }
}
