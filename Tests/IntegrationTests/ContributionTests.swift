import Reactor
import Supervision
import TestSupport
import Testing

/// What is looked at before a commit.
@Suite struct ContributionTests {
    init() { loop }

    /// Whether `.ci/check-files` lets a file pass.
    @ReactorActor
    private func passes(_ content: String) async throws -> Bool {
        let file = "\(try TestFolder.make())/file"
        try Files.write(content, to: file)
        let command = Command("\(packageFolder)/.ci/check-files", [file], parentDeathSignal: .kill)
        return (try? await ChildProcess.run(command, name: "check-files")) != nil
    }

    /// Colours are flags of the compiler, so that one that had them and one that had not would take turns in compiling
    /// everything anew.
    @Test(arguments: ["etc/up", ".ci/run"])
    func `a release build on a terminal and one into a file have the same flags`(script: String) throws {
        let text = try #require(Files.text("\(packageFolder)/\(script)"))
        #expect(text.contains("--static-swift-stdlib"))
        #expect(text.contains("--no-color-diagnostics"))
    }

    @Test @ReactorActor func `large files, secrets and conflicts are kept out of commits`() async throws {
        #expect(try await passes("just text, and ======= a line\n"))
        #expect(try await passes(String(repeating: "x", count: 1 << 20)))
        #expect(try await !passes(String(repeating: "x", count: 1 << 20 + 1)))
        #expect(try await !passes("-----BEGIN EC PRIVATE" + " KEY-----\n"))
        #expect(try await !passes("key = AKIA" + "ABCDEFGHIJKLMNOP\n"))
        #expect(try await !passes("<<<<<<" + "< main\n"))
    }
}
