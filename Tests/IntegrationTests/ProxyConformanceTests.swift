import Reactor
import Supervision
import TestSupport
import Testing

/// What `Benchmarks/proxycheck` asks of any reverse proxy.
@Suite struct ProxyConformanceTests {
    init() { Reactor.runInBackground() }

    @Test(.timeLimit(.minutes(5))) @ReactorActor func `the gateway passes every check of a reverse proxy`() async throws
    {
        try await run("proxycheck") { $0.hasPrefix("Tickloop:") }
    }

    @Test(.timeLimit(.minutes(5))) @ReactorActor
    func `bodies of any size, odd targets and fields pass byte for byte, and the memory stays flat`() async throws {
        try await run("proxyecho", ["--mib", "64", "--slow", "3"]) { !$0.hasSuffix("as sent") && !$0.hasPrefix("|") }
    }

    /// Runs a program of `Benchmarks` against a gateway.
    ///
    /// - Parameter tellsFault: Whether a line says what was wrong.
    @ReactorActor
    private func run(
        _ name: String,
        _ options: [String] = [],
        tellsFault: @escaping @ReactorActor (String) -> Bool
    ) async throws {
        let program = Files.parent(of: Executable.current) + "/tickloop"
        guard let python3 = Executable.find("python3") else { throw TestFailure(description: "there is no python3") }
        var faults: [String] = []
        do {
            let check = Command(python3, ["Benchmarks/\(name)", "--ours", program] + options)
            try await ChildProcess.run(check, name: name) { line in
                if tellsFault(line) { faults.append(line) }
            }
        } catch {
            Issue.record("\(error): \(faults.joined(separator: "\n"))")
        }
    }
}
