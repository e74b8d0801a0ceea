import Glibc
import Reactor
import Testing

/// In which order the I/O events of one turn are taken, and what runs between them.
@Suite struct ReadyEventsTests {
    init() { loop }

    /// Pipes with a watcher each, all of which are watched already.
    @ReactorActor private final class Pipes {
        private var descriptors: [(read: CInt, write: CInt)] = []
        var watchers: [IOWatcher?] = []
        var taken: [Int] = []
        var onTaken: (Int) -> Void = { _ in }
        private let count: Int
        private var waiting: Promise<Void, CancellationError>?

        init(_ count: Int) async throws {
            self.count = count
            for number in 0..<count {
                var pair: [CInt] = [0, 0]
                try #require(unsafe pipe(&pair) == 0)
                descriptors.append((pair[0], pair[1]))
                watchers.append(IOWatcher(descriptor: pair[0], for: .read) { [unowned self] _ in take(number) })
            }
            // The kernel is told of them before this turn waits, and says of the last one that it has bytes.
            try await wake([count - 1], until: 1)
            taken = []
        }

        isolated deinit {
            watchers = []
            for (read, write) in descriptors {
                close(read)
                close(write)
            }
        }

        /// Makes pipes ready in this order, and waits until so many were taken.
        func wake(_ numbers: [Int], until count: Int) async throws {
            let waiting = Promise<Void, CancellationError>()
            self.waiting = waiting
            left = count
            for number in numbers { try #require(unsafe write(descriptors[number].write, "x", 1) == 1) }
            try await waiting.value
        }

        private var left = 0

        private func take(_ number: Int) {
            var byte: UInt8 = 0
            #expect(unsafe read(descriptors[number].read, &byte, 1) == 1)
            taken.append(number)
            onTaken(number)
            left -= 1
            if left == 0 { waiting?.succeed(()) }
        }
    }

    @Test @ReactorActor func `who was ready first is served first`() async throws {
        let pipes = try await Pipes(30)
        var order = Array(0..<30)
        var random = SystemRandomNumberGenerator()
        for _ in 0..<5 {
            order.shuffle(using: &random)
            pipes.taken = []
            try await pipes.wake(order, until: 30)
            #expect(pipes.taken == order)
        }
    }

    @Test(arguments: ["stopped", "gone", "changed"])
    @ReactorActor func `a watcher that another one ends in the same turn is not called`(way: String) async throws {
        let pipes = try await Pipes(4)
        pipes.onTaken = { number in
            guard number == 0 else { return }
            switch way {
            case "stopped": pipes.watchers[2]?.stop()
            case "gone": pipes.watchers[2] = nil
            default: pipes.watchers[2]?.watch(for: .write)
            }
        }
        try await pipes.wake([0, 1, 2, 3], until: 3)
        #expect(pipes.taken == [0, 1, 3])
        try await Reactor.sleep(for: .milliseconds(1))
        #expect(pipes.taken == [0, 1, 3])
    }

    @Test @ReactorActor func `a watcher that is stopped and started again in the same turn is called in the next one`()
        async throws
    {
        let pipes = try await Pipes(4)
        pipes.onTaken = { number in
            guard number == 0 else { return }
            pipes.watchers[1]?.stop()
            pipes.watchers[1]?.start()
        }
        try await pipes.wake([0, 1, 2, 3], until: 4)
        #expect(pipes.taken == [0, 2, 3, 1])
    }

    @Test @ReactorActor func `an early job runs after every eight events, another one when all are taken`() async throws
    {
        let pipes = try await Pipes(20)
        var early: [Int] = []
        var late: [Int] = []
        let earlyJob = EndOfTurn(isEarly: true) { early.append(pipes.taken.count) }
        let lateJob = EndOfTurn { late.append(pipes.taken.count) }
        pipes.onTaken = { _ in
            earlyJob.schedule()
            lateJob.schedule()
        }
        try await pipes.wake(Array(0..<20), until: 20)
        try await Reactor.sleep(for: .milliseconds(1))
        #expect(early == [8, 16, 20])
        #expect(late == [20])
    }
}
