import Reactor
import TestSupport
import Testing

@Suite struct LookoutTests {
    init() { Reactor.runInBackground() }

    /// Looks that end when the test says so.
    @ReactorActor
    private final class Looks {
        private(set) var begun = 0
        private(set) var ended = 0
        private var gate = Promise<Void, Never>()

        func look() async {
            begun += 1
            _ = await gate.result
            ended += 1
        }

        func end() {
            gate.succeed(())
            gate = Promise()
        }
    }

    @Test @ReactorActor func `all who tell it during a look get one more, after that`() async throws {
        let looks = Looks()
        let lookout = Lookout { await looks.look() }
        lookout.look()
        try await eventually("the first look") { looks.begun == 1 }
        lookout.look()
        lookout.look()
        looks.end()
        try await eventually("the one for both") { looks.begun == 2 }
        #expect(looks.ended == 1)
        looks.end()
        try await eventually("its end") { looks.ended == 2 }
        await Reactor.yield()
        #expect(looks.begun == 2)
        lookout.look()
        try await eventually("a later one") { looks.begun == 3 }
        looks.end()
    }
}
