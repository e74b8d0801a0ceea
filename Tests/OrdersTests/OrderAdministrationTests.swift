import Basics
import HTTPServer
import HTTPWire
import JSONWire
import Postgres
import Reactor
import TestSupport
import Testing

@testable import Orders

/// What operators do, on a real PostgreSQL.
@Suite struct OrderAdministrationTests {
    init() { loop }

    private static let owner = "00000000-0000-4000-8000-000000000001"

    @ReactorActor
    private func withOrders(
        _ count: Int,
        _ body: @ReactorActor (TestDatabase, OrderAdministration) async throws -> Void
    ) async throws {
        let database = try await TestDatabase()
        for number in 0..<count { try await database.submit(number) }
        try await body(database, OrderAdministration(database.session))
    }

    /// Claims up to `maximum` orders for a worker.
    @ReactorActor
    private func claim(_ database: TestDatabase, _ maximum: Int = 100) async throws -> [String] {
        try await database.execute("select outbox_enter('\(Self.owner)', '1 minute') on conflict do nothing")
        return try await database.rows("select key from outbox_claim('exchange', '\(Self.owner)', 0, \(maximum))")
    }

    private func words(_ outcome: OrderAdministration.Outcome) -> String {
        switch outcome {
        case .done: "done"
        case .refused(let words): words
        case .unknown: "unknown"
        }
    }

    @Test @ReactorActor func `an order that is held is not claimed until it is released`() async throws {
        try await withOrders(2) { database, orders in
            let (first, second) = (TestDatabase.id(0), TestDatabase.id(1))
            #expect(words(try await orders.hold(first)) == "done")
            #expect(try await orders.isHeld(first) == true)
            #expect(try await orders.isHeld(second) == false)
            #expect(try await orders.isHeld(TestDatabase.id(7)) == nil)
            try await database.execute("select outbox_enter('\(Self.owner)', '1 minute')")
            let claim = "select key from outbox_claim('exchange', '\(Self.owner)', 0, 100)"
            #expect(try await database.rows(claim) == [second])
            let stuck = try await orders.stuck(limit: 10)
            #expect(stuck.rows.map { $0[0] } == [first, second])
            #expect(stuck.rows.map { $0[3] } == ["held", "being placed"])
            #expect(words(try await orders.hold(second)).contains("a worker is placing it"))
            #expect(words(try await orders.hold(TestDatabase.id(7))) == "unknown")
            #expect(words(try await orders.release(first)) == "done")
            #expect(try await database.rows(claim) == [first])
        }
    }

    @Test @ReactorActor func `only what was certainly not executed is given up, and the reason stands in its history`()
        async throws
    {
        try await withOrders(3) { database, orders in
            let ids = (0..<3).map { TestDatabase.id($0) }
            #expect(words(try await orders.giveUp(ids[0], reason: "a \"reason\"")) == "done")
            let event = try await orders.events(of: ids[0], after: 0, limit: 10).rows.last
            #expect(event?[4] == "OrderRejected")
            #expect(event?[5] == #"{"reason": "a \"reason\""}"#)
            #expect(try await orders.one(ids[0]).rows[0].contains("rejected"))
            #expect(words(try await orders.giveUp(ids[0], reason: "again")) == "it is rejected, and waits for nothing")
            // One that is claimed, one whose outcome is unknown.
            try await database.execute(
                """
                select outbox_enter('\(Self.owner)', '1 minute');
                select outbox_claim('exchange', '\(Self.owner)', 0, 100);
                select outbox_hand_back(
                    '\(Self.owner)',
                    array(select id from outbox where key = '\(ids[2])'), '{1}', '{0}', '{0}'
                );
                """
            )
            #expect(words(try await orders.giveUp(ids[1], reason: "x")).contains("a worker is placing it"))
            #expect(words(try await orders.giveUp(ids[2], reason: "x")).contains("the exchange may have executed it"))
            #expect(words(try await orders.giveUp(TestDatabase.id(9), reason: "x")) == "unknown")
            #expect(try await orders.check(ledger: nil, log: nil).isWhole)
        }
    }

    @Test @ReactorActor func `a check finds what is stored wrongly, and a rebuild mends the rows`() async throws {
        try await withOrders(4) { database, orders in
            #expect(try await orders.check(ledger: nil, log: nil).isWhole)
            let id = { (number: Int) in TestDatabase.id(number) }
            try await database.execute(
                """
                update orders set filled_quantity = 3 where id = '\(id(0))';
                delete from outbox where key = '\(id(1))';
                select orders_append_events('{\(id(2))}', '{OrderCancelled}', '{"{}"}');
                select orders_append_events('{\(id(3))}', '{PlacementFailed}', '{"{}"}');
                update order_events set version = 3, position = position + 2
                where order_id = '\(id(3))' and version = 2;
                """
            )
            let findings = try await orders.check(ledger: nil, log: #"{"taken":"\#(id(8))","key":"k"}"# + "\n\n")
            #expect(
                findings.broken == [
                    .differs: [id(0), id(3)], .forgotten: [id(1)], .strayMessage: [id(2)], .gap: [id(3)],
                    .lost: [id(8)],
                ]
            )
            #expect(findings.orders == ["pending": 3, "cancelled": 1])
            #expect(try JSONValue(parsing: findings.json, limits: JSONLimits(bytes: 10_000))["kept"] == false)
            #expect(try await orders.rebuild() == 2)
            #expect(try await orders.rebuild() == 0)
            await #expect(throws: OrderAdministrationError.log(line: 2)) {
                _ = try await orders.check(ledger: nil, log: "\n{}\n")
            }
        }
    }

    @Test @ReactorActor func `the ledger is read page by page, and compared`() async throws {
        try await withOrders(3) { database, orders in
            let id = { (number: Int) in TestDatabase.id(number) }
            try await database.execute(
                """
                delete from outbox where key in ('\(id(0))', '\(id(1))');
                select orders_append_events('{\(id(0)),\(id(1))}', '{OrderPlaced,OrderPlaced}', '{"{}","{}"}');
                """
            )
            let rows = [id(0), id(0), id(2), id(9)]
            let server = HTTPServer(handler: Ledger(rows))
            defer { server.close() }
            let endpoint = try await server.listen(on: .tcp(host: "127.0.0.1", port: 0))
            let findings = try await orders.check(ledger: (endpoint, "/ledger"), log: nil)
            #expect(findings.broken == [.placedTwice: [id(0)], .notPlaced: [id(1)], .unknownOrder: [id(9)]])
            #expect(findings.executions == 4)
            #expect(findings.unsettled == 1)
            #expect(findings.unreported == 0)
            try await database.execute("update order_feed set taken_through = 2")
            let later = try await orders.check(ledger: (endpoint, ""), log: nil)
            #expect(later.broken[.executedOtherwise] == [id(0)])
            #expect(later.unreported == 1)
            let elsewhere = Endpoint.unix(path: "/nowhere/ledger")
            do throws(OrderAdministrationError) {
                _ = try await orders.check(ledger: (elsewhere, ""), log: nil)
                Issue.record("there is no ledger")
            } catch {
                guard case .ledger = error else { throw error }
            }
        }
    }
}

/// A ledger in pages of two rows, and executions: of the first order two, of the second one with a later report.
@ReactorActor
private final class Ledger: HTTPHandler {
    private let rows: [String]

    init(_ rows: [String]) { self.rows = rows }

    func handle(_ request: HTTPRequest, _ exchange: HTTPExchange) {
        let executions = [
            #"{"number":1,"order_id":"\#(rows[0])","execution_id":"a","quantity":2}"#,
            #"{"number":2,"order_id":"\#(rows[0])","execution_id":"b","quantity":1}"#,
            #"{"number":3,"order_id":"\#(TestDatabase.id(1))","execution_id":"c","quantity":1}"#,
        ]
        let query = try? request.head.queryParameters(limit: 4).all
        let after = query?.first { $0.name == "after" }.flatMap { Int($0.value) } ?? 0
        let accepted = rows.enumerated().map { index, id in
            #"{"number":\#(index + 1),"order_id":"\#(id)","instrument":"A","side":"buy","quantity":1}"#
        }
        let all = request.head.target.contains("executions") ? executions : accepted
        let page = all.dropFirst(after).prefix(2)
        let next = after + page.count < all.count ? "\(after + page.count)" : "null"
        let body = #"{"executions":[\#(page.joined(separator: ","))],"next":\#(next)}"#
        exchange.respond(
            HTTPResponse(.ok, fields: ["Content-Type": "application/json"], body: .bytes(Array(body.utf8)))
        )
    }

    func response(to refusal: HTTPRefusal, fields _: HTTPFields?) -> HTTPResponse { HTTPResponse(refusal.status) }
}
