import Reactor
import TestSupport
import Testing

@testable import HTTPClient

/// Plays random events against a pool and checks what must always hold.
@Suite struct ConnectionPoolModelTests {
    private final class Player {
        var pool: ConnectionPool
        var numbers: SplitMix64
        let connections: Int
        var now = Instant.origin
        /// Requests have numbers of the player's own here; the pool numbers those that wait.
        var next: UInt64 = 0
        var waiting: [RequestID: UInt64] = [:]
        var connecting: Set<Int> = []
        var busy: [Int: UInt64] = [:]
        var idle: Set<Int> = []
        /// Requests that have come to an end, each of which does so once.
        var ended: Set<UInt64> = []

        init(seed: UInt64) {
            numbers = SplitMix64(seed: seed)
            connections = 5
            var configuration = HTTPClientConfiguration()
            configuration.connections = connections
            configuration.waitingRequests = 7
            configuration.idleConnections = 3
            configuration.idleTimeout = .milliseconds(300)
            configuration.connectionAge = .milliseconds(2000)
            configuration.connectTimeout = .milliseconds(80)
            configuration.connectWindow = .milliseconds(120)
            configuration.responseHeadTimeout = .milliseconds(150)
            pool = ConnectionPool(configuration)
        }

        func step() {
            switch Int.random(in: 0..<12, using: &numbers) {
            case 0...3: arrive()
            case 4: connecting.sorted().randomElement(using: &numbers).map { connected($0) }
            case 5: connecting.sorted().randomElement(using: &numbers).map { connectFailed($0) }
            case 6...7: busy.keys.sorted().randomElement(using: &numbers).map { released($0) }
            case 8: lose()
            case 9: cancel()
            default: now = now + .milliseconds(Int.random(in: 0...60, using: &numbers))
            }
            if pool.wakeAt <= now { sweep() }
            connect()
            check()
        }

        func arrive() {
            next += 1
            let deadline = now + .milliseconds(Int.random(in: 1...400, using: &numbers))
            switch pool.requestArrived(deadline: deadline, isProbe: next % 7 == 0, now: now) {
            case .send(let connection):
                #expect(idle.remove(connection.slot) != nil)
                busy[connection.slot] = next
            case .wait(let id): waiting[id] = next
            case .refuse: end(next)
            }
        }

        func connect() {
            while let id = pool.nextConnect(now: now) {
                #expect(busy[id.slot] == nil && !idle.contains(id.slot))
                #expect(connecting.insert(id.slot).inserted)
            }
        }

        func connected(_ slot: Int) {
            connecting.remove(slot)
            use(slot, pool.connected(ConnectionID(slot: slot), now: now))
        }

        func connectFailed(_ slot: Int) {
            connecting.remove(slot)
            pool.connectFailed(ConnectionID(slot: slot), now: now, using: &numbers)
        }

        func released(_ slot: Int) {
            guard let request = busy.removeValue(forKey: slot) else { return }
            if Bool.random(using: &numbers) { pool.responseBegan(ConnectionID(slot: slot)) }
            let isReusable = Int.random(in: 0..<4, using: &numbers) > 0
            end(request)
            use(slot, pool.released(ConnectionID(slot: slot), isReusable: isReusable, now: now))
        }

        func use(_ slot: Int, _ use: ConnectionPool.Use) {
            switch use {
            case .send(let request):
                busy[slot] = waiting.removeValue(forKey: request)
                #expect(busy[slot] != nil)
            case .keep: idle.insert(slot)
            case .close: break
            }
        }

        /// A connection ends; half of the requests on such are sent again.
        func lose() {
            guard let slot = (Array(busy.keys) + idle).sorted().randomElement(using: &numbers) else { return }
            pool.connectionEnded(ConnectionID(slot: slot))
            idle.remove(slot)
            guard let request = busy.removeValue(forKey: slot) else { return }
            guard Bool.random(using: &numbers) else { return end(request) }
            waiting[pool.requestReturned(deadline: now + .milliseconds(100), now: now)] = request
        }

        func cancel() {
            let ids = waiting.keys.sorted { $0.number < $1.number }
            guard let id = ids.randomElement(using: &numbers) else { return }
            pool.requestCancelled(id)
            end(waiting.removeValue(forKey: id) ?? 0)
        }

        func sweep() {
            for expiry in pool.sweep(now: now, using: &numbers) {
                switch expiry {
                case .closeIdle(let id): #expect(idle.remove(id.slot) != nil)
                case .stopConnecting(let id): #expect(connecting.remove(id.slot) != nil)
                case .requestTimedOut(let id, _): end(busy.removeValue(forKey: id.slot) ?? 0)
                case .waiterTimedOut(let id, _), .waiterGaveUp(let id):
                    end(waiting.removeValue(forKey: id) ?? 0)
                }
            }
        }

        func end(_ request: UInt64) { #expect(ended.insert(request).inserted) }

        func check() {
            let counts = [pool.connectingCount, pool.busyCount, pool.idleCount, pool.waiterCount]
            #expect(counts == [connecting.count, busy.count, idle.count, waiting.count])
            #expect(idle.count <= 3)
            #expect(connecting.count + busy.count + idle.count <= connections)
            #expect(ended.count + busy.count + waiting.count == Int(next))
            // Whoever waits is woken up by something: an attempt, a response, or the clock.
            let wakeAt = pool.wakeAt
            #expect(waiting.isEmpty || wakeAt < Instant.distantFuture)
        }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `every request ends once, whatever happens in whatever order`(seed: UInt64) {
        let player = Player(seed: seed)
        for _ in 1...2000 { player.step() }
        // Nothing more arrives: time alone brings everything to its end.
        while player.pool.wakeAt < Instant.distantFuture {
            player.now = max(player.now, player.pool.wakeAt)
            player.sweep()
            player.connect()
            player.check()
        }
        #expect(player.waiting.isEmpty && player.busy.isEmpty && player.idle.isEmpty && player.connecting.isEmpty)
        #expect(player.ended.count == Int(player.next))
    }
}
