import Reactor
import Testing

@testable import HTTPClient

/// A pool with a clock that moves only when the test says so. Times are milliseconds since the start.
private final class PoolBench {
    var pool: ConnectionPool
    var generator = LargestNumbers()
    var milliseconds = 0
    /// The pool numbers those that wait; the tests number all requests. Pool's number to test's number.
    private var numbers: [UInt64: UInt64] = [:]

    /// ``ConnectionPool/Admission`` without the pool's number.
    enum Answer: Equatable {
        case send(Int), wait, refuse
    }

    init(connections: Int = 2, waiting: Int = 4, idle: Int = 2) {
        var configuration = HTTPClientConfiguration()
        configuration.connections = connections
        configuration.waitingRequests = waiting
        configuration.idleConnections = idle
        configuration.idleTimeout = .milliseconds(60_000)
        configuration.connectionAge = .milliseconds(600_000)
        configuration.connectTimeout = .milliseconds(1000)
        configuration.connectWindow = .milliseconds(1000)
        configuration.responseHeadTimeout = .milliseconds(10_000)
        pool = ConnectionPool(configuration)
    }

    var now: Instant { .origin + .milliseconds(milliseconds) }
    var isOutage: Bool { pool.isOutage }
    var counts: [Int] { [pool.connectingCount, pool.busyCount, pool.idleCount, pool.waiterCount] }
    var wakeAt: Int? { pool.wakeAt == .distantFuture ? nil : Int((pool.wakeAt - .origin) / .milliseconds(1)) }

    func request(_ number: UInt64, within limit: Int = 5000, isProbe: Bool = false) -> Answer {
        switch pool.requestArrived(deadline: now + .milliseconds(limit), isProbe: isProbe, now: now) {
        case .send(let connection): return .send(connection.slot)
        case .refuse: return .refuse
        case .wait(let id):
            numbers[id.number] = number
            return .wait
        }
    }

    func returned(_ number: UInt64) {
        numbers[pool.requestReturned(deadline: now + .milliseconds(5000), now: now).number] = number
    }

    func cancelled(_ number: UInt64) {
        for (own, test) in numbers where test == number { pool.requestCancelled(RequestID(number: own)) }
    }

    private func named(_ use: ConnectionPool.Use) -> ConnectionPool.Use {
        if case .send(let id) = use { .send(named(id)) } else { use }
    }

    private func named(_ id: RequestID) -> RequestID { RequestID(number: numbers[id.number] ?? 0) }

    func connects() -> [Int] {
        var slots: [Int] = []
        while let id = pool.nextConnect(now: now) { slots.append(id.slot) }
        return slots
    }

    func connected(_ slot: Int) -> ConnectionPool.Use { named(pool.connected(ConnectionID(slot: slot), now: now)) }

    func failed(_ slot: Int) {
        pool.connectFailed(ConnectionID(slot: slot), now: now, using: &generator)
    }

    func released(_ slot: Int, isReusable: Bool = true) -> ConnectionPool.Use {
        named(pool.released(ConnectionID(slot: slot), isReusable: isReusable, now: now))
    }

    func sweep() -> [ConnectionPool.Expiry] {
        pool.sweep(now: now, using: &generator).map { expiry in
            switch expiry {
            case .waiterTimedOut(let id, let phase): .waiterTimedOut(named(id), phase)
            case .waiterGaveUp(let id): .waiterGaveUp(named(id))
            case .closeIdle, .stopConnecting, .requestTimedOut: expiry
            }
        }
    }

    /// Connects as many as there are slots, and leaves them idle in the order of `slots`.
    func warmUp(_ slots: [Int]) {
        for slot in slots { #expect(request(UInt64(1000 + slot)) == .wait) }
        for slot in connects() { #expect(connected(slot) != .keep) }
        for slot in slots { #expect(released(slot) == .keep) }
    }
}

extension ConnectionPool.Use {
    fileprivate static func request(_ number: UInt64) -> Self { .send(RequestID(number: number)) }
}

extension ConnectionPool.Expiry {
    fileprivate static func waiter(_ number: UInt64, _ phase: HTTPClientError.Phase) -> Self {
        .waiterTimedOut(RequestID(number: number), phase)
    }
    fileprivate static func gaveUp(_ number: UInt64) -> Self { .waiterGaveUp(RequestID(number: number)) }
    fileprivate static func request(on slot: Int, _ phase: HTTPClientError.Phase) -> Self {
        .requestTimedOut(ConnectionID(slot: slot), phase)
    }
}

@Suite struct ConnectionPoolTests {
    @Test func `the first request makes a connection, and the next one uses it`() {
        let bench = PoolBench()
        #expect(bench.request(1) == .wait)
        #expect(bench.connects() == [0])
        #expect(bench.connected(0) == .request(1))
        #expect(bench.released(0) == .keep)
        #expect(bench.request(2) == .send(0))
        #expect(bench.connects() == [])
    }

    @Test func `there are as many attempts as waiting requests, within the limit`() {
        let bench = PoolBench(connections: 2, waiting: 4)
        #expect(bench.request(1) == .wait)
        #expect(bench.connects() == [0])
        #expect(bench.request(2) == .wait)
        #expect(bench.request(3) == .wait)
        #expect(bench.connects() == [1])
        #expect(bench.request(4) == .wait)
        #expect(bench.request(5) == .refuse)
    }

    @Test func `waiting requests are served first come first served by whatever connection is free`() {
        let bench = PoolBench(connections: 1)
        for number in 1...3 as ClosedRange<UInt64> { #expect(bench.request(number) == .wait) }
        #expect(bench.connects() == [0])
        #expect(bench.connected(0) == .request(1))
        #expect(bench.released(0) == .request(2))
        #expect(bench.released(0) == .request(3))
        #expect(bench.released(0) == .keep)
    }

    @Test func `a connection that nobody waits for any more is kept`() {
        let bench = PoolBench()
        #expect(bench.request(1) == .wait)
        #expect(bench.connects() == [0])
        bench.cancelled(1)
        #expect(bench.connected(0) == .keep)
        #expect(bench.counts == [0, 0, 1, 0])
    }

    @Test func `a connection that cannot be used again is replaced while requests wait`() {
        let bench = PoolBench(connections: 1)
        for number in 1...2 as ClosedRange<UInt64> { #expect(bench.request(number) == .wait) }
        #expect(bench.connects() == [0])
        #expect(bench.connected(0) == .request(1))
        #expect(bench.released(0, isReusable: false) == .close)
        #expect(bench.connects() == [0])
        #expect(bench.connected(0) == .request(2))
    }

    @Test func `the connection used last is taken first, and the others grow old`() {
        let bench = PoolBench(connections: 2)
        bench.warmUp([0, 1])
        bench.milliseconds = 30_000
        #expect(bench.request(1) == .send(1))
        #expect(bench.released(1) == .keep)
        bench.milliseconds = 60_000
        #expect(bench.sweep() == [.closeIdle(ConnectionID(slot: 0))])
        #expect(bench.wakeAt == 90_000)
        bench.milliseconds = 90_000
        #expect(bench.sweep() == [.closeIdle(ConnectionID(slot: 1))])
        #expect(bench.wakeAt == nil)
    }

    @Test func `more idle connections than wanted are closed`() {
        let bench = PoolBench(connections: 2, idle: 1)
        for number in 1...2 as ClosedRange<UInt64> { #expect(bench.request(number) == .wait) }
        for slot in bench.connects() { #expect(bench.connected(slot) != .keep) }
        #expect(bench.released(0) == .keep)
        #expect(bench.released(1) == .close)
    }

    @Test func `an old connection is closed after its response`() {
        let bench = PoolBench()
        bench.warmUp([0])
        for milliseconds in stride(from: 50_000, through: 550_000, by: 50_000) {
            bench.milliseconds = milliseconds
            #expect(bench.request(1) == .send(0))
            #expect(bench.released(0) == .keep)
        }
        bench.milliseconds = 600_000
        #expect(bench.request(1) == .send(0))
        #expect(bench.released(0) == .close)
    }

    @Test func `an idle connection that ended is not used again`() {
        let bench = PoolBench()
        bench.warmUp([0, 1])
        bench.pool.connectionEnded(ConnectionID(slot: 1))
        #expect(bench.request(1) == .send(0))
        #expect(bench.request(2) == .wait)
        #expect(bench.connects() == [1])
    }

    @Test func `a returned request goes first, and not on a connection that was there before`() {
        let bench = PoolBench(connections: 2)
        bench.warmUp([0, 1])
        #expect(bench.request(1) == .send(1))
        #expect(bench.request(2) == .send(0))
        #expect(bench.request(3) == .wait)
        bench.pool.connectionEnded(ConnectionID(slot: 1))
        bench.returned(1)
        #expect(bench.connects() == [1])
        #expect(bench.released(0) == .request(3))
        #expect(bench.connected(1) == .request(1))
    }
}

@Suite struct ConnectionPoolTimeTests {
    @Test func `while connections are refused, one attempt is made at a time, later and later`() {
        let bench = PoolBench(connections: 4)
        for number in 1...3 as ClosedRange<UInt64> { #expect(bench.request(number) == .wait) }
        #expect(bench.connects() == [0, 1, 2])
        for slot in 0...2 { bench.failed(slot) }
        #expect(bench.isOutage)
        var moments: [Int] = []
        for _ in 1...4 {
            #expect(bench.sweep() == [])
            #expect(bench.connects() == [])
            guard let wakeAt = bench.wakeAt else { return #expect(Bool(false)) }
            moments.append(wakeAt)
            bench.milliseconds = wakeAt
            let slots = bench.connects()
            #expect(slots.count == 1)
            #expect(bench.connects() == [])
            for slot in slots { bench.failed(slot) }
        }
        // 10 ms and 20 ms went into the first three failures, which came together.
        #expect(moments == [40, 120, 220, 320])
    }

    @Test func `an upstream that comes back within the window serves all that waited`() {
        let bench = PoolBench(connections: 2)
        for number in 1...2 as ClosedRange<UInt64> { #expect(bench.request(number) == .wait) }
        for slot in bench.connects() { bench.failed(slot) }
        bench.milliseconds = 900
        #expect(bench.sweep() == [])
        let slots = bench.connects()
        #expect(slots.count == 1)
        #expect(bench.connected(slots[0]) == .request(1))
        #expect(!bench.isOutage)
        let others = bench.connects()
        #expect(others.count == 1)
        #expect(bench.connected(others[0]) == .request(2))
    }

    @Test func `a request gives up when its window ends, and not while an attempt is under way`() {
        let bench = PoolBench(connections: 2)
        #expect(bench.request(1) == .wait)
        #expect(bench.connects() == [0])
        bench.milliseconds = 500
        #expect(bench.request(2) == .wait)
        bench.failed(0)
        #expect(bench.sweep() == [])
        bench.milliseconds = 999
        #expect(bench.connects().count == 1)
        bench.milliseconds = 1000
        #expect(bench.sweep() == [])
        bench.failed(0)
        #expect(bench.sweep() == [.gaveUp(1)])
        #expect(bench.connects() == [])
        bench.milliseconds = 1500
        #expect(bench.sweep() == [.gaveUp(2)])
        #expect(bench.counts == [0, 0, 0, 0])
        #expect(bench.wakeAt == nil)
    }

    @Test func `a probe connects at once and gives up with the first failure`() {
        let bench = PoolBench(connections: 2)
        #expect(bench.request(1) == .wait)
        #expect(bench.connects() == [0])
        bench.failed(0)
        bench.cancelled(1)
        #expect(bench.sweep() == [])
        #expect(bench.request(2, isProbe: true) == .wait)
        #expect(bench.connects() == [0])
        #expect(bench.sweep() == [])
        bench.failed(0)
        #expect(bench.sweep() == [.gaveUp(2)])
    }

    @Test func `an attempt that takes too long is stopped and counts as failed`() {
        let bench = PoolBench()
        #expect(bench.request(1) == .wait)
        #expect(bench.connects() == [0])
        #expect(bench.wakeAt == 1000)
        bench.milliseconds = 1000
        #expect(bench.sweep() == [.stopConnecting(ConnectionID(slot: 0)), .gaveUp(1)])
        #expect(bench.isOutage)
    }

    @Test func `a request that is out of time says how far it came`() {
        let bench = PoolBench(connections: 1)
        #expect(bench.request(1, within: 100) == .wait)
        #expect(bench.connects() == [0])
        bench.milliseconds = 100
        #expect(bench.sweep() == [.waiter(1, .connecting)])

        #expect(bench.request(2, within: 100) == .wait)
        #expect(bench.connected(0) == .request(2))
        #expect(bench.request(3, within: 50) == .wait)
        bench.milliseconds = 150
        #expect(bench.sweep() == [.waiter(3, .waiting)])
        bench.milliseconds = 200
        #expect(bench.sweep() == [.request(on: 0, .responseHead)])

        #expect(bench.request(4, within: 100) == .wait)
        #expect(bench.connects() == [0])
        #expect(bench.connected(0) == .request(4))
        bench.pool.responseBegan(ConnectionID(slot: 0))
        bench.milliseconds = 300
        #expect(bench.sweep() == [.request(on: 0, .responseBody)])
        #expect(bench.counts == [0, 0, 0, 0])
    }

    @Test func `the head has its own time, and after it only the deadline counts`() {
        let bench = PoolBench()
        bench.warmUp([0, 1])
        #expect(bench.request(1, within: 30_000) == .send(1))
        #expect(bench.request(2, within: 30_000) == .send(0))
        bench.pool.responseBegan(ConnectionID(slot: 0))
        bench.milliseconds = 10_000
        #expect(bench.sweep() == [.request(on: 1, .responseHead)])
        #expect(bench.wakeAt == 30_000)
        bench.milliseconds = 30_000
        #expect(bench.sweep() == [.request(on: 0, .responseBody)])
    }
}
