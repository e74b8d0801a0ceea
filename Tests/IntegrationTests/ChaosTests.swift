import Reactor
import Supervision
import TestSupport
import Testing

/// The proof of the orders that anyone runs, `Benchmarks/chaos orders`, in short.
@Suite struct ChaosTests {
    init() { loop }

    /// A seed whose 24 seconds have a kill of each: gateway, API, worker, Redis, PostgreSQL and the exchange.
    private static let seed = "212"

    @Test @ReactorActor func `whatever is killed when, every promise about orders is kept`() async throws {
        let program = Files.parent(of: Executable.current) + "/tickloop"
        let words = [
            "orders", "--seed", Self.seed, "--minutes", "0.4", "--orders", "400", "--connections", "16",
            "--tickloop", program,
        ]
        let command = Command("\(packageFolder)/Benchmarks/chaos", words, parentDeathSignal: .terminate)
        var lines: [String] = []
        var status: WaitStatus?
        let child = try ChildProcess(command, onLine: { lines.append($0) }, onEnd: { status = $0 })
        try await eventually("the end of the proof", within: .seconds(300)) { status != nil }
        #expect(status == .exited(0), "\(lines.joined(separator: "\n"))")
        #expect(lines.last == "Every promise is kept.")
        for victim in ["gateway-1", "api-1", "worker-2", "redis", "postgres", "simulator-1"] {
            #expect(lines.contains { $0.hasPrefix("faults") && $0.contains("kill \(victim)") }, "\(victim)")
        }
        withExtendedLifetime(child) {}
    }
}
