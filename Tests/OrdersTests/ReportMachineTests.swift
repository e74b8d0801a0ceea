import Reactor
import Testing

@testable import Orders

@Suite struct ReportMachineTests {
    private static let order = OrderID("01a1fd76-c4ba-78d7-ac0f-73e05585ea0a")!
    private static let start = Instant.origin

    static func report(_ number: Int) -> ExecutionReport {
        ExecutionReport(
            number: number,
            content: .execution(order, ExecutionReport.Execution(id: "\(number)", quantity: 1, price: "1"))
        )
    }

    private static func reports(_ numbers: some Sequence<Int>) -> [ExecutionReport] { numbers.map { report($0) } }

    private static func lines(_ numbers: Int...) -> [ReportLine] { numbers.map { .report(report($0)) } }

    /// A machine that holds the lease and follows the stream number 1.
    private static func following(after number: Int = 0, _ change: (inout ReportMachine.Limits) -> Void = { _ in })
        -> ReportMachine
    {
        var limits = ReportMachine.Limits()
        change(&limits)
        var machine = ReportMachine(limits: limits)
        #expect(machine.start(now: start) == [.lease])
        #expect(machine.leased(.held(through: number), now: start) == [.open(1, after: number)])
        return machine
    }

    private static func seconds(_ seconds: Double) -> Instant { start + .milliseconds(Int64(seconds * 1000)) }

    @Test func `what comes while a batch is stored is the next batch`() {
        var machine = Self.following()
        #expect(
            machine.came(Self.lines(1, 2), on: 1, now: Self.start) == [.store(Self.reports(1...2), through: 2)]
        )
        #expect(machine.came(Self.lines(3), on: 1, now: Self.start) == [])
        #expect(machine.came(Self.lines(4), on: 1, now: Self.start) == [])
        #expect(machine.behind == 4)
        #expect(machine.stored(.stored, now: Self.start) == [.store(Self.reports(3...4), through: 4)])
        #expect(machine.stored(.stored, now: Self.start) == [])
        #expect(machine.behind == 0)
    }

    @Test func `what is missing is fetched at once, and what came behind it is kept`() {
        var machine = Self.following()
        _ = machine.came(Self.lines(1), on: 1, now: Self.start)
        _ = machine.stored(.stored, now: Self.start)
        #expect(machine.came(Self.lines(5), on: 1, now: Self.start) == [.fetch(1, after: 1, count: 3)])
        #expect(machine.came(Self.lines(6), on: 1, now: Self.start) == [])
        #expect(
            machine.fetched(Self.reports(2...4), in: 1, now: Self.start) == [.store(Self.reports(2...6), through: 6)]
        )
    }

    @Test func `what comes repeatedly or in another order is stored once and in order`() {
        var machine = Self.following()
        #expect(
            machine.came(Self.lines(2, 1, 2, 1, 3), on: 1, now: Self.start)
                == [.store(Self.reports(1...3), through: 3)]
        )
        #expect(machine.repeated == 2)
    }

    @Test func `a heartbeat tells of reports that were lost at the end`() {
        var machine = Self.following(after: 7)
        #expect(machine.came([.heartbeat(last: 9)], on: 1, now: Self.start) == [.fetch(1, after: 7, count: 2)])
    }

    @Test func `a stream without a line is closed and begun anew, where it ended`() {
        var machine = Self.following()
        _ = machine.came(Self.lines(1), on: 1, now: Self.start)
        _ = machine.stored(.stored, now: Self.start)
        _ = machine.timePassed(now: Self.seconds(2))
        _ = machine.leased(.held(through: 1), now: Self.seconds(2))
        #expect(!machine.timePassed(now: Self.seconds(4.9)).contains(.close))
        _ = machine.leased(.held(through: 1), now: Self.seconds(4.9))
        #expect(machine.timePassed(now: Self.seconds(5)).contains(.close))
        #expect(machine.timePassed(now: Self.seconds(5.1)).contains(.open(2, after: 1)))
        // What the first one still says is not listened to.
        #expect(machine.came(Self.lines(2), on: 1, now: Self.seconds(5.1)) == [])
    }

    @Test func `a batch that the database refuses is halved, and only the faulty report is passed over`() {
        var machine = Self.following()
        _ = machine.came(Self.lines(1, 2, 3), on: 1, now: Self.start)
        #expect(machine.stored(.refused, now: Self.start) == [.store(Self.reports(1...1), through: 1)])
        #expect(machine.stored(.stored, now: Self.start) == [.store(Self.reports(2...3), through: 3)])
        #expect(machine.stored(.refused, now: Self.start) == [.store(Self.reports(2...2), through: 2)])
        #expect(
            machine.stored(.refused, now: Self.start)
                == [.alarm(.unusable(number: 2)), .store(Self.reports(3...3), through: 3)]
        )
    }

    @Test func `a report that cannot be understood is passed over with an alarm, once`() {
        var machine = Self.following()
        let odd = ExecutionReport(number: 1, content: .unusable)
        #expect(machine.came([.report(odd)], on: 1, now: Self.start) == [.store([odd], through: 1)])
        #expect(machine.stored(.failed, now: Self.start) == [])
        #expect(machine.timePassed(now: Self.seconds(0.1)) == [.store([odd], through: 1)])
        #expect(machine.stored(.stored, now: Self.seconds(0.1)) == [.alarm(.unusable(number: 1))])
    }

    @Test func `what the exchange counted and does not have is passed over after a while, and not before`() {
        var machine = Self.following { $0.silence = .seconds(1000) }
        var now = Self.start
        #expect(machine.came(Self.lines(3), on: 1, now: now).contains(.fetch(1, after: 0, count: 2)))
        // While it does not answer at all, it may have them.
        for _ in 0..<20 {
            now = now + .seconds(5)
            _ = machine.fetched(nil, in: 1, now: now - .seconds(5))
            #expect(machine.timePassed(now: now).contains(.fetch(1, after: 0, count: 2)))
            _ = machine.leased(.held(through: 0), now: now)
        }
        let first = now
        var actions: [ReportMachine.Action] = []
        while actions.isEmpty, now - first < .seconds(60) {
            actions = machine.fetched([], in: 1, now: now).filter { if case .alarm = $0 { true } else { false } }
            guard actions.isEmpty else { break }
            now = now + .seconds(5)
            _ = machine.timePassed(now: now)
            _ = machine.leased(.held(through: 0), now: now)
        }
        #expect(actions == [.alarm(.missing(after: 0, count: 2))])
        #expect(now - first >= .seconds(10))
    }

    @Test func `an exchange that counts anew is read from its beginning`() {
        var machine = Self.following(after: 500)
        #expect(
            machine.came([.heartbeat(last: 3)], on: 1, now: Self.start)
                == [.close, .alarm(.rewound(from: 500, to: 3))]
        )
        #expect(machine.timePassed(now: Self.seconds(0.1)) == [.open(2, after: 0)])
        #expect(
            machine.came([.heartbeat(last: 3)] + Self.lines(1, 2, 3), on: 2, now: Self.seconds(0.1))
                == [.store(Self.reports(1...3), through: 3)]
        )
    }

    @Test func `nothing more is read while too much waits for being stored`() {
        var machine = Self.following { $0.readyMax = 3 }
        _ = machine.came(Self.lines(1, 2), on: 1, now: Self.start)
        #expect(!machine.isFull)
        _ = machine.came(Self.lines(3), on: 1, now: Self.start)
        #expect(machine.isFull)
        _ = machine.stored(.stored, now: Self.start)
        #expect(!machine.isFull)
    }

    @Test func `snapshots are compared page by page, also while the stream is in good health`() {
        var machine = Self.following { $0.silence = .seconds(1000) }
        func pass(_ seconds: Double) -> [ReportMachine.Action] {
            let now = Self.seconds(seconds)
            _ = machine.came([.heartbeat(last: 0)], on: 1, now: now)
            let actions = machine.timePassed(now: now).filter { if case .compare = $0 { true } else { false } }
            _ = machine.leased(.held(through: 0), now: now)
            return actions
        }
        #expect(pass(0.9) == [])
        #expect(machine.timePassed(now: Self.seconds(1)) == [.compare(1, after: 0)])
        #expect(machine.compared(.compared(next: 70), in: 1, now: Self.seconds(1)) == [])
        #expect(machine.timePassed(now: Self.seconds(2)).contains(.compare(1, after: 70)))
        _ = machine.leased(.held(through: 0), now: Self.seconds(2))
        #expect(machine.compared(.compared(next: nil), in: 1, now: Self.seconds(2)) == [])
        for second in 3..<12 { #expect(pass(Double(second)) == []) }
        #expect(machine.timePassed(now: Self.seconds(12)).contains(.compare(1, after: 0)))
    }

    @Test func `who cannot renew the lease stops before another can begin`() {
        var machine = Self.following()
        #expect(machine.timePassed(now: Self.seconds(2)).contains(.lease))
        #expect(!machine.leased(.failed, now: Self.seconds(2)).contains(.close))
        // Counted from before the lease was asked for.
        #expect(machine.timePassed(now: Self.seconds(6)).contains(.close))
        #expect(!machine.isHolding)
        #expect(machine.behind == nil)
    }
}
