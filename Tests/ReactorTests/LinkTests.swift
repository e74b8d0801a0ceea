import Reactor
import TestSupport
import Testing

@Suite struct LinkTests {
    init() { Reactor.runInBackground() }

    private final class Line {}

    private enum Fault: LinkFailure {
        case passing, lasting

        var isLasting: Bool { self == .lasting }
    }

    /// A link whose attempts end when the test says so.
    @ReactorActor
    private final class Fixture {
        private(set) var attempts: [@ReactorActor (Result<Line, Fault>) -> Void] = []
        private(set) var opened = 0
        private(set) var faults: [Fault] = []
        /// Attempts that nobody keeps any more.
        private(set) var dropped = 0
        private(set) lazy var link = Link<Line, Fault>(
            first: .milliseconds(1),
            cap: .milliseconds(5),
            refusalCap: .milliseconds(5)
        ) { [unowned self] then in
            attempts.append(then)
            return Attempt { [unowned self] in dropped += 1 }
        }

        init() {
            link.onOpen = { [unowned self] _ in opened += 1 }
            link.onFailure = { [unowned self] in faults.append($0) }
        }

        @ReactorActor
        private final class Attempt {
            private let onDrop: @ReactorActor () -> Void
            init(onDrop: @escaping @ReactorActor () -> Void) { self.onDrop = onDrop }
            isolated deinit { onDrop() }
        }
    }

    @Test @ReactorActor func `it connects once, and again for as long as attempts fail`() async throws {
        let fixture = Fixture()
        fixture.link.open()
        fixture.link.open()
        #expect(fixture.attempts.count == 1)
        #expect(fixture.link.isHopeful)
        fixture.attempts[0](.failure(.passing))
        #expect(fixture.faults == [.passing])
        #expect(fixture.link.failures == 1)
        try await eventually("the attempt is dropped") { fixture.dropped == 1 }
        try await eventually("the next") { fixture.attempts.count == 2 }
        #expect(!fixture.link.isHopeful)
        fixture.attempts[1](.failure(.lasting))
        try await eventually("the one after that") { fixture.attempts.count == 3 }
        let line = Line()
        fixture.attempts[2](.success(line))
        #expect(fixture.opened == 1)
        #expect(fixture.link.connection === line)
        #expect(fixture.link.generation == 3)
        // Its time was over.
        fixture.attempts[1](.success(Line()))
        #expect(fixture.link.connection === line)
        #expect(fixture.link.close() === line)
    }

    @Test @ReactorActor func `a connection that was good is made anew at once, another one after a while`() async throws
    {
        let fixture = Fixture()
        fixture.link.open()
        fixture.attempts[0](.success(Line()))
        fixture.link.lost(wasGood: true)
        #expect(fixture.attempts.count == 2)
        #expect(fixture.link.isHopeful)
        fixture.attempts[1](.success(Line()))
        fixture.link.lost(wasGood: false)
        #expect(fixture.attempts.count == 2)
        #expect(fixture.link.connection == nil)
        try await eventually("another attempt") { fixture.attempts.count == 3 }
        #expect(!fixture.link.isHopeful)
        #expect(fixture.link.close() == nil)
    }

    @Test @ReactorActor func `one that is closed gives its attempt up and makes none`() async throws {
        let fixture = Fixture()
        fixture.link.open()
        #expect(fixture.link.close() == nil)
        try await eventually("the attempt is dropped") { fixture.dropped == 1 }
        fixture.attempts[0](.success(Line()))
        fixture.attempts[0](.failure(.passing))
        fixture.link.open()
        try await Reactor.sleep(for: .milliseconds(20))
        #expect(fixture.attempts.count == 1)
        #expect(fixture.opened == 0 && fixture.faults.isEmpty)
    }
}
