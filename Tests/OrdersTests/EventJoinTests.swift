import TestSupport
import Testing

@testable import Orders

@Suite struct EventJoinTests {
    private static let id = OrderID("01a1fd76-c4ba-78d7-ac0f-73e05585ea05")!

    private static func events(_ positions: some Sequence<Int>) -> [FeedEvent] {
        positions.map { FeedEvent(position: Int64($0), orderID: id, owner: nil, bytes: []) }
    }

    private enum Step {
        case page([Int], isFull: Bool)
        case happened([Int])
    }

    /// What is sent, from behind position 2 on.
    private static func sent(_ steps: [Step]) -> [[Int]] {
        var join = EventJoin(after: 2)
        return steps.map { step in
            let events =
                switch step {
                case .page(let positions, let isFull): join.wasRead(Self.events(positions), isFull: isFull)
                case .happened(let positions): join.happened(Self.events(positions))
                }
            return events.map { Int($0.position) }
        }
    }

    @Test func `what happens while a page is read follows it, without what the page has`() {
        #expect(
            Self.sent([.happened([5, 6]), .page([3, 4, 5], isFull: false), .happened([7])]) == [[], [3, 4, 5, 6], [7]]
        )
        #expect(Self.sent([.page([], isFull: false), .happened([3])]) == [[], [3]])
        #expect(Self.sent([.page([3, 4], isFull: false), .happened([3, 4, 5])]) == [[3, 4], [5]])
        #expect(Self.sent([.happened([4]), .page([3], isFull: true), .page([], isFull: false)]) == [[], [3], [4]])
    }

    @Test func `what is too much to keep is read, and then joined anew`() {
        let many = Array(10..<(10 + EventJoin.keptMax + 1))
        let found = Self.sent([
            .happened(many), .page([3], isFull: false), .happened([600]), .page(many, isFull: false), .happened([601]),
        ])
        #expect(found == [[], [3], [], many + [600], [601]])
    }

    /// A store, a feed that reads it late, and a client that joins, in a random order of steps.
    private struct World {
        var random: SplitMix64
        let pageSize = 4
        /// Positions whose order is this client's, or all.
        var stored: [Int] = []
        var last: Int
        /// What the feed has told; it has read as far.
        var toldUpTo: Int
        var join: EventJoin
        var page: [Int]?
        var sent: [Int] = []

        init(seed: UInt64) {
            var random = SplitMix64(seed: seed)
            last = Int.random(in: 0...30, using: &random)
            for position in 0..<last where Bool.random(using: &random) { stored.append(position + 1) }
            toldUpTo = last
            join = EventJoin(after: Int64(Int.random(in: 0...last, using: &random)))
            self.random = random
        }

        mutating func step() {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                last += 1
                if Bool.random(using: &random) { stored.append(last) }
            case 4..<7:
                let upTo = Int.random(in: toldUpTo...last, using: &random)
                let news = stored.filter { $0 > toldUpTo && $0 <= upTo }
                toldUpTo = upTo
                sent += join.happened(EventJoinTests.events(news)).map { Int($0.position) }
            default:
                guard !join.isLive else { return }
                if let found = page {
                    page = nil
                    let events = EventJoinTests.events(found)
                    sent += join.wasRead(events, isFull: found.count == pageSize).map { Int($0.position) }
                } else {
                    page = Array(stored.filter { $0 > Int(join.position) }.prefix(pageSize))
                }
            }
        }
    }

    @Test func `no event is missing and none comes twice, in whatever order things happen`() {
        for seed in 0..<2000 as Range<UInt64> {
            var world = World(seed: seed)
            let start = Int(world.join.position)
            for _ in 0..<100 { world.step() }
            let expected = world.stored.filter { $0 > start }
            #expect(world.sent.elementsEqual(expected.prefix(world.sent.count)), "seed \(seed)")
            if world.join.isLive {
                #expect(world.sent.count >= expected.count { $0 <= world.toldUpTo }, "seed \(seed)")
            }
        }
    }
}
