import Reactor
import Supervision
import TestSupport
import Testing

/// What `Benchmarks/proxycheck` asks of any reverse proxy.
@Suite struct ProxyConformanceTests {
    init() { Reactor.runInBackground() }

    @Test(.timeLimit(.minutes(5))) @ReactorActor func `the gateway passes every check of a reverse proxy`() async throws
    {
        let program = Files.parent(of: Executable.current) + "/tickloop"
        guard let python3 = Executable.find("python3") else { throw TestFailure(description: "there is no python3") }
        var faults: [String] = []
        do {
            let check = Command(python3, ["Benchmarks/proxycheck", "--ours", program])
            try await ChildProcess.run(check, name: "proxycheck") { line in
                if line.hasPrefix("Tickloop:") { faults.append(line) }
            }
        } catch {
            Issue.record("\(error): \(faults.joined(separator: "\n"))")
        }
    }
}
