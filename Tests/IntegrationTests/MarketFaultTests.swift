import Glibc
import Reactor
import TestSupport
import Testing

extension FaultTests {
    /// Workers and Redis are taken away while jobs run: nothing is lost, and nothing happens twice.
    @Test @ReactorActor func `jobs, events and averages survive killed workers and a Redis that lost everything`()
        async throws
    {
        try await system.waitUntilReady()
        for number in 0..<10 {
            let symbols = (0..<5).map { "\"J\(number)S\($0)\"" }.joined(separator: ",")
            #expect(try await system.poll(.api, "{\"symbols\":[\(symbols)],\"interval\":1}").status == 202)
        }
        func runs() async throws -> Int {
            try await system.sql("select sum(runs) from polling_jobs").first.flatMap { Int($0) } ?? 0
        }
        try await eventually("some runs", within: .seconds(60)) { try await runs() >= 20 }
        let pid = try system.signal("worker-1", SIGKILL)
        let redis = system.redis
        try await redis.run("FLUSHALL")
        try await system.waitForSuccessor(of: pid, as: "worker-1")
        let before = try await runs()
        try await eventually("more runs", within: .seconds(60)) { try await runs() >= before + 30 }
        try await system.sql("update polling_jobs set paused = true")
        try await eventually("every event has had its effect", within: .seconds(120)) {
            try await system.sql("select count(*) from price_events_due") == ["0"]
        }
        // Every due moment that has come was run once, or is counted. A run that is cut short counts as one.
        try await eventually("no run is under way", within: .seconds(60)) {
            try await system.sql(
                "select count(*) from polling_jobs where run_owner is not null and lease_until > now()"
            ) == ["0"]
        }
        let moments = """
            select count(*) from polling_jobs
            where runs + missed + skipped + (run_owner is not null)::int
                <> round(extract(epoch from next_run_at - created_at - polling_offset(id, interval_s)) / interval_s)
            """
        #expect(try await system.sql(moments) == ["0"])
        let effects = """
            select count(*) from (
                select symbol, count(*) as prices from prices where provider is not null group by symbol
            ) as p
            full join symbol_averages as a using (symbol)
            where p.prices is distinct from a.updates or a.moving_average is distinct from (
                select exact_mean(sum(price), count(*)) from (
                    select price from prices where symbol = a.symbol order by recorded_at desc, id desc limit 5
                ) as newest
            )
            """
        #expect(try await system.sql(effects) == ["0"])
        try await system.sql("delete from polling_jobs")
    }

    /// What fails for good is laid aside where an operator finds it, and nothing else waits for it.
    @Test @ReactorActor func `a poison event ends among the dead ones, and comes back by replay`() async throws {
        try await system.waitUntilReady()
        let redis = system.redis
        try await system.sql(
            """
            create function refuse_poison() returns trigger language plpgsql as
                $$ begin raise exception 'poison'; end $$;
            create trigger refuse_poison before insert or update on symbol_averages for each row
                when (new.symbol = 'POISON') execute function refuse_poison();
            select from store_quotes(
                '{yfinance,yfinance}', '{POISON,BESIDE}', '{1.5,2.5}', '{USD,USD}', array[now(), now()],
                array[now(), now()], array['{}'::bytea, '{}']
            )
            """
        )
        func dead() async throws -> [String] { try await system.tool("events", "dead").lines.map { "\($0)" } }
        try await eventually("a dead event", within: .seconds(60)) {
            try await redis.run("XLEN", "price-events-dlq") == ["1"]
        }
        let list = try await dead()
        #expect(list.contains { $0.contains("POISON") && $0.contains("P0001") }, "\(list)")
        let averages = """
            select symbol, moving_average from symbol_averages where symbol in ('POISON', 'BESIDE') and points > 0
            """
        try await eventually("the average beside it", within: .seconds(60)) {
            try await system.sql(averages) == ["BESIDE|2.5"]
        }
        // A worker that begins anew makes events again that are lost; one that is dead is not.
        let pid = try system.signal("worker-1", SIGKILL)
        try await system.waitForSuccessor(of: pid, as: "worker-1")
        let buried = "select count(*) from price_events_due where symbol = 'POISON' and renew_at = 'infinity'"
        #expect(try await system.sql(buried) == ["1"])
        try await system.sql("drop trigger refuse_poison on symbol_averages; drop function refuse_poison()")
        #expect(try await system.tool("events", "replay", "--all").status == .exited(0))
        try await eventually("the average of what was dead", within: .seconds(60)) {
            try await system.sql(averages + " order by 1") == ["BESIDE|2.5", "POISON|1.5"]
        }
        #expect(try await redis.run("XLEN", "price-events-dlq") == ["0"])
        #expect(try await system.sql("select count(*) from price_events_due where symbol = 'POISON'") == ["0"])
    }
}
