import Postgres
import Reactor
import TestSupport
import Testing

/// The functions of `sql/0004_outbox.sql`, against a real server.
@Suite struct OutboxFunctionsTests {
    init() { loop }

    @Test @ReactorActor func `several owners that claim at the same time share the messages, oldest first`()
        async throws
    {
        let database = try await TestDatabase()
        try await database.add(1...1000)
        async let first = claimAll(1, database)
        async let second = claimAll(2, database)
        async let third = claimAll(3, database)
        let claimed = try await first + second + third
        #expect(claimed.sorted() == Array(1...1000))
    }

    /// Enters as `owner` and claims until there is nothing left.
    @ReactorActor private func claimAll(_ owner: Int, _ database: TestDatabase) async throws -> [Int] {
        let session = try await database.connect()
        defer { session.close() }
        _ = try await database.rows("select outbox_enter('\(TestDatabase.key(owner))', '1 hour')", on: session)
        var mine: [Int] = []
        while true {
            let batch = try await database.claim(owner, maximum: 17, on: session)
            #expect(batch == batch.sorted())
            mine += batch
            if batch.isEmpty { return mine }
        }
    }

    @Test @ReactorActor func `a message that somebody is just claiming is skipped and not waited for`() async throws {
        let database = try await TestDatabase()
        try await database.add(1...3)
        try await database.enter(1)
        try await database.enter(2)
        let first = try await database.connect()
        defer { first.close() }
        try await first.execute("begin", deadline: soon)
        #expect(try await database.claim(1, maximum: 2, on: first) == [1, 2])
        #expect(try await database.claim(2) == [3])
        try await first.execute("rollback", deadline: soon)
        #expect(try await database.claim(2) == [1, 2])
    }

    @Test @ReactorActor func `whoever looks with an older snapshot is refused what another has claimed since`()
        async throws
    {
        let database = try await TestDatabase()
        try await database.add([1])
        try await database.enter(1)
        try await database.enter(2)
        let late = try await database.connect()
        defer { late.close() }
        // The snapshot of REPEATABLE READ is the oldest that a claim can have: it does not see the other's row, and the
        // primary key decides.
        try await late.execute("begin isolation level repeatable read", deadline: soon)
        #expect(try await database.rows("select count(*) from outbox", on: late) == ["1"])
        #expect(try await database.claim(1) == [1])
        await #expect(throws: PostgresError.self) { try await database.claim(2, on: late) }
        try await late.execute("rollback", deadline: soon)
        #expect(try await database.claim(2, on: late) == [])
    }

    @Test @ReactorActor func `a message that nobody has claimed can be withdrawn, once`() async throws {
        let database = try await TestDatabase()
        try await database.add(1...2)
        try await database.enter(1)
        #expect(try await database.withdraw(1))
        #expect(try await database.withdraw(1) == false)
        #expect(try await database.claim(1) == [2])
    }

    @Test @ReactorActor func `whoever finds nothing to claim and nobody to take over from writes nothing`()
        async throws
    {
        let database = try await TestDatabase()
        try await database.enter(1)
        try await database.enter(2)
        try await database.add(1...2)
        #expect(try await database.claim(2) == [1, 2])
        #expect(try await database.handBack(2, by: 2, delay: 3_600_000))
        // Not for them, or not yet: one in flight, one handed back for later, one of another destination.
        try await database.execute("select outbox_add('elsewhere', array[gen_random_uuid()], array['{}']::jsonb[])")
        #expect(try await found { try await database.claim(1, above: 2, on: $0) } == ([], false))
        #expect(try await found { try await database.takeOver(1, on: $0) } == ([], false))
        try await database.add([3])
        #expect(try await found { try await database.claim(1, above: 2, on: $0) } == ([3], true))
        try await database.endLease(of: 2)
        #expect(try await found { try await database.takeOver(1, on: $0) } == ([1], true))

        /// What a transaction finds, and whether it wrote, for which it would have got a number.
        func found(_ work: @ReactorActor (PostgresSession) async throws -> [Int]) async throws -> ([Int], Bool) {
            let session = try await database.connect()
            defer { session.close() }
            try await session.execute("begin", deadline: soon)
            let numbers = try await work(session)
            let isNumbered = "select pg_current_xact_id_if_assigned() is not null"
            let hasWritten = try await database.rows(isNumbered, on: session) == ["t"]
            try await session.execute("commit", deadline: soon)
            return (numbers, hasWritten)
        }
    }

    @Test @ReactorActor func `a claim counts as sent until it is handed back, also past its lease`() async throws {
        let database = try await TestDatabase()
        try await database.add([1])
        try await database.enter(1)
        _ = try await database.claim(1)
        #expect(try await database.withdraw(1) == false)
        try await database.endLease(of: 1)
        #expect(try await database.withdraw(1) == false)
        #expect(try await database.handBack(1, by: 1))
        #expect(try await database.withdraw(1))
    }

    @Test @ReactorActor func `what may have been executed cannot be withdrawn`() async throws {
        let database = try await TestDatabase()
        try await database.add([1])
        try await database.enter(1)
        _ = try await database.claim(1)
        #expect(try await database.handBack(1, by: 1, uncertain: 0))
        #expect(try await database.withdraw(1) == false)
    }

    @Test @ReactorActor func `a withdrawal waits for the claim that is under way, and then knows`() async throws {
        let database = try await TestDatabase()
        try await database.add([1])
        try await database.enter(1)
        let relay = try await database.connect()
        defer { relay.close() }
        try await relay.execute("begin", deadline: soon)
        #expect(try await database.claim(1, on: relay) == [1])
        async let withdrawn = database.withdraw(1)
        try await database.waitForLockWait()
        try await relay.execute("commit", deadline: soon)
        #expect(try await withdrawn == false)
    }

    @Test @ReactorActor func `a message that is just being withdrawn is not claimed`() async throws {
        let database = try await TestDatabase()
        try await database.add(1...2)
        try await database.enter(1)
        let client = try await database.connect()
        defer { client.close() }
        try await client.execute("begin", deadline: soon)
        #expect(try await database.withdraw(1, on: client))
        #expect(try await database.claim(1) == [2])
        try await client.execute("commit", deadline: soon)
        #expect(try await database.claim(1) == [])
    }

    @Test @ReactorActor func `a withdrawal of what was handed back is decided against the next claim`() async throws {
        let database = try await TestDatabase()
        try await database.add([1])
        try await database.enter(1)
        _ = try await database.claim(1)
        _ = try await database.handBack(1, by: 1)
        let relay = try await database.connect()
        defer { relay.close() }
        try await relay.execute("begin", deadline: soon)
        #expect(try await database.claim(1, on: relay) == [1])
        async let withdrawn = database.withdraw(1)
        try await database.waitForLockWait()
        try await relay.execute("commit", deadline: soon)
        #expect(try await withdrawn == false)
    }

    @Test @ReactorActor func `claims of an ended lease are taken over as uncertain, in batches, by one`() async throws {
        let database = try await TestDatabase()
        try await database.add(1...5)
        try await database.enter(1)
        _ = try await database.claim(1)
        let take = { (owner: Int, maximum: Int) in
            try await database.rows(
                """
                select right(key::text, 1), attempts, uncertain_ms
                from outbox_take_over('exchange', '\(TestDatabase.key(owner))', \(maximum))
                """
            )
        }
        try await database.enter(2)
        #expect(try await take(2, 10) == [])
        try await database.endLease(of: 1)
        #expect(try await take(2, 3) == ["1|1|0", "2|1|0", "3|1|0"])
        #expect(try await take(2, 3) == ["4|1|0", "5|1|0"])
        #expect(try await take(2, 3) == [])
        #expect(try await database.rows("select count(*) from outbox_owners") == ["1"])
        // The former owner comes back: nothing is his any more.
        #expect(try await database.handBack(1, by: 1) == false)
        #expect(try await database.claim(1) == [])
        #expect(try await database.rows("select count(*) from outbox_attempts where owner is null") == ["0"])
    }

    @Test @ReactorActor func `a lease that has ended is never renewed, and claims nothing`() async throws {
        let database = try await TestDatabase()
        try await database.add([1])
        try await database.enter(1)
        let owner = TestDatabase.key(1)
        #expect(try await database.rows("select outbox_renew('\(owner)', '1 hour')") == ["t"])
        try await database.execute("select outbox_leave('\(owner)')")
        #expect(try await database.rows("select outbox_renew('\(owner)', '1 hour')") == ["f"])
        #expect(try await database.claim(1) == [])
    }

    @Test @ReactorActor func `a lease that is just being renewed is not taken over`() async throws {
        let database = try await TestDatabase()
        try await database.add([1])
        try await database.enter(1, lease: "1 second")
        try await database.enter(2)
        #expect(try await database.claim(1) == [1])
        let relay = try await database.connect()
        defer { relay.close() }
        try await relay.execute("begin", deadline: soon)
        let owner = TestDatabase.key(1)
        try await relay.execute("select outbox_renew('\(owner)', '1 hour')", deadline: soon)
        try await database.execute("select pg_sleep(1.1)")
        #expect(try await database.takeOver(2) == [])
        try await relay.execute("commit", deadline: soon)
        #expect(try await database.takeOver(2) == [])
    }

    @Test @ReactorActor func `a message with a lower id that is committed later is not passed over`() async throws {
        let database = try await TestDatabase()
        let first = try await database.connect()
        defer { first.close() }
        try await first.execute("begin", deadline: soon)
        try await first.execute(
            "select outbox_add('exchange', array['\(TestDatabase.key(1))']::uuid[], array['{}']::jsonb[])",
            deadline: soon
        )
        // Nobody waits for anybody, but those of a sequence, whose order is not known yet.
        try await database.add([2])
        try await database.add([3], sequence: "a")
        try await database.enter(1)
        let claim =
            "select right(key::text, 1), is_final from outbox_claim('exchange', '\(TestDatabase.key(1))', 0, 9)"
        #expect(try await database.rows(claim) == ["2|f"])
        try await first.execute("commit", deadline: soon)
        #expect(try await database.rows(claim) == ["1|t", "3|t"])
    }

    @Test @ReactorActor func `of a sequence only the first is claimable, and others do not wait for it`() async throws {
        let database = try await TestDatabase()
        try await database.add(1...2, sequence: "a")
        try await database.add([3])
        try await database.add([4], sequence: "b")
        try await database.enter(1)
        #expect(try await database.claim(1) == [1, 3, 4])
        #expect(try await database.claim(1) == [])
        _ = try await database.handBack(1, by: 1)
        #expect(try await database.claim(1) == [1])
        let one = TestDatabase.key(1)
        try await database.execute("select outbox_remove(array(select id from outbox where key = '\(one)'))")
        #expect(try await database.claim(1) == [2])
    }

    @Test @ReactorActor func `a message is not claimed before it is due, nor while it is held`() async throws {
        let database = try await TestDatabase()
        try await database.add(1...2)
        try await database.enter(1)
        let postpone = { (number: Int, until: String) in
            try await database.rows(
                "select outbox_postpone('exchange', '\(TestDatabase.key(number))', '\(until)')"
            )
        }
        #expect(try await postpone(2, "infinity") == ["t"])
        #expect(try await database.claim(1) == [1])
        #expect(try await postpone(1, "infinity") == ["f"])
        _ = try await database.handBack(1, by: 1, delay: 3_600_000)
        #expect(try await database.claim(1) == [])
        #expect(try await postpone(1, "-infinity") == ["t"])
        #expect(try await postpone(2, "-infinity") == ["t"])
        #expect(try await database.claim(1) == [1, 2])
        #expect(try await postpone(3, "-infinity") == ["f"])
    }

    /// Of the tables of the slot that the first ids go to.
    @ReactorActor private func size(_ database: TestDatabase) async throws -> Int {
        try await database.numbers("select pg_relation_size('outbox_0') + pg_relation_size('outbox_attempts_0')")[0]
    }

    /// Lets ids go on in the slot after the next.
    @ReactorActor private func leaveSlot(_ database: TestDatabase) async throws {
        try await database.execute("select setval('outbox_ids', 2 * 32768)")
    }

    private static let rotate = "select outbox_rotate()"

    @Test @ReactorActor func `what is settled is given back, though somebody holds an old snapshot`() async throws {
        let database = try await TestDatabase()
        let report = try await database.connect()
        defer { report.close() }
        try await database.add(1...3)
        try await database.enter(1)
        _ = try await database.claim(1)
        try await report.execute("begin isolation level repeatable read; select count(*) from orders", deadline: soon)
        try await database.execute("select outbox_remove(array(select id from outbox))")
        #expect(try await database.rows(Self.rotate) == ["f"])
        try await leaveSlot(database)
        #expect(try await size(database) > 0)
        #expect(try await database.rows(Self.rotate) == ["t"])
        #expect(try await size(database) == 0)
        #expect(try await database.rows(Self.rotate) == ["f"])
        try await database.add(4...5)
        #expect(try await database.claim(1, above: 3) == [4, 5])
    }

    @Test @ReactorActor func `a slot in which a message waits is left as it is`() async throws {
        let database = try await TestDatabase()
        try await database.add(1...3)
        try await database.enter(1)
        #expect(try await database.claim(1, maximum: 2) == [1, 2])
        try await database.execute("select outbox_remove(array(select message_id from outbox_attempts))")
        try await leaveSlot(database)
        #expect(try await database.rows(Self.rotate) == ["f"])
        #expect(try await database.claim(1) == [3])
        #expect(try await database.rows(Self.rotate) == ["f"])
        try await database.execute("select outbox_remove(array(select message_id from outbox_attempts))")
        #expect(try await database.rows(Self.rotate) == ["t"])
    }

    @Test @ReactorActor func `what somebody reads for long is left alone, and nobody waits for it`() async throws {
        let database = try await TestDatabase()
        let report = try await database.connect()
        defer { report.close() }
        try await database.add(1...3)
        try await report.execute(
            "begin isolation level repeatable read; select count(*) from outbox; select pg_sleep(1.1)",
            deadline: soon
        )
        try await database.execute("select outbox_remove(array(select id from outbox))")
        try await leaveSlot(database)
        #expect(try await database.rows(Self.rotate) == ["f"])
        #expect(try await database.rows("select count(*) from outbox", on: report) == ["3"])
        try await report.execute("rollback", deadline: soon)
        #expect(try await database.rows(Self.rotate) == ["t"])
    }

    @Test @ReactorActor func `a claim looks only above the mark, but always at what was handed back`() async throws {
        let database = try await TestDatabase()
        try await database.add(1...4)
        try await database.enter(1)
        #expect(try await database.claim(1, above: 2) == [3, 4])
        _ = try await database.handBack(3, by: 1)
        #expect(try await database.claim(1, above: 4) == [3])
        #expect(try await database.claim(1, above: 0, maximum: 1) == [1])
    }
}
