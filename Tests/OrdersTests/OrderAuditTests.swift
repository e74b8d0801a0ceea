import JSONWire
import Testing

@testable import Orders

@Suite struct OrderAuditTests {
    private static let a = OrderID("01a1fd76-c4ba-78d7-ac0f-73e05585ea0a")!
    private static let b = OrderID("01a1fd76-c4ba-78d7-ac0f-73e05585ea0b")!

    /// The promises that are found to be broken for order `a`, in the order of their declaration.
    private static func broken(
        _ status: Order.Status?,
        hasMessage: Bool = false,
        ledger: Int? = nil,
        meanwhile: Int = 0,
        log: [String] = []
    ) -> [OrderPromise] {
        var read = ClientLog()
        for line in log {
            let text = line.replacing("A", with: a.description).replacing("B", with: b.description)
            #expect((try? JSONValue(parsing: text, limits: JSONLimits(bytes: 1000))).map { read.read($0) } == true)
        }
        var audit = OrderAudit(
            ledger: ledger.map { OrderAudit.Ledger(before: $0 > 0 ? [a: $0] : [:], meanwhile: [a: meanwhile]) },
            log: log.isEmpty ? nil : read
        )
        if status != nil || hasMessage { audit.look(at: a, status, hasMessage: hasMessage) }
        audit.finish()
        #expect(audit.broken.values.allSatisfy { $0 == [a.description] })
        return OrderPromise.allCases.filter { audit.broken[$0] != nil }
    }

    @Test func `what is as promised is nothing to speak of`() {
        #expect(Self.broken(.pending, hasMessage: true) == [])
        #expect(Self.broken(.pending, hasMessage: true, ledger: 0) == [])
        // The answer was lost, or is on its way.
        #expect(Self.broken(.pending, hasMessage: true, ledger: 1) == [])
        #expect(Self.broken(.placed, ledger: 1) == [])
        // It was placed after the ledger was read.
        #expect(Self.broken(.placed, ledger: 0, meanwhile: 1) == [])
        // A fill was told before the placement was answered.
        #expect(Self.broken(.filled, hasMessage: true, ledger: 1) == [])
        for status in [Order.Status.cancelled, .expired, .rejected] { #expect(Self.broken(status, ledger: 0) == []) }
        #expect(Self.broken(.cancelled, ledger: 0, log: [#"{"taken":"A"}"#, #"{"ended":"A"}"#]) == [])
        #expect(
            Self.broken(.pending, hasMessage: true, log: [#"{"taken":"A","key":"k"}"#, #"{"taken":"A","key":"k"}"#])
                == []
        )
    }

    @Test func `each broken promise is found`() {
        #expect(Self.broken(.placed, ledger: 2) == [.placedTwice])
        #expect(Self.broken(.placed, ledger: 1, meanwhile: 1) == [.placedTwice])
        #expect(Self.broken(nil, ledger: 1) == [.unknownOrder])
        // What came after the orders were read may be newer than they.
        #expect(Self.broken(nil, ledger: 0, meanwhile: 1) == [])
        for status in [Order.Status.cancelled, .expired, .rejected] {
            #expect(Self.broken(status, ledger: 1) == [.endedAndPlaced])
            #expect(Self.broken(status, hasMessage: true) == [.strayMessage])
        }
        for status in [Order.Status.placed, .partiallyFilled, .filled] {
            #expect(Self.broken(status, ledger: 0) == [.notPlaced])
        }
        #expect(Self.broken(.pending) == [.forgotten])
        #expect(Self.broken(nil, hasMessage: true) == [.strayMessage])
        #expect(Self.broken(nil, log: [#"{"taken":"A"}"#]) == [.lost])
        #expect(Self.broken(nil, log: [#"{"ended":"A"}"#]) == [.lost])
        #expect(Self.broken(.placed, log: [#"{"ended":"A"}"#]) == [.notEnded])
    }

    @Test func `what is executed is compared as far as reports were taken in`() {
        func broken(_ filled: Int, _ there: OrderAudit.Fill?, through: Int, isMoving: Bool = false) -> [OrderPromise] {
            let fills = OrderAudit.Fills(
                before: there.map { [Self.a: $0] } ?? [:],
                meanwhile: isMoving ? [Self.a] : [],
                takenThrough: through
            )
            var audit = OrderAudit(ledger: OrderAudit.Ledger(before: [Self.a: 1]), fills: fills, log: nil)
            audit.look(at: Self.a, .partiallyFilled, filled: filled, hasMessage: false)
            audit.finish()
            #expect((audit.unreported > 0) == (!isMoving && (there?.lastReport ?? 0) > through))
            return audit.broken.keys.sorted { $0.rawValue < $1.rawValue }
        }
        #expect(broken(4, OrderAudit.Fill(quantity: 4, lastReport: 9), through: 9) == [])
        #expect(broken(3, OrderAudit.Fill(quantity: 4, lastReport: 9), through: 8) == [])
        #expect(broken(3, OrderAudit.Fill(quantity: 4, lastReport: 9), through: 9, isMoving: true) == [])
        #expect(broken(3, OrderAudit.Fill(quantity: 4, lastReport: 9), through: 9) == [.executedOtherwise])
        #expect(broken(3, nil, through: 0) == [.executedOtherwise])
        #expect(broken(0, nil, through: 0) == [])
    }

    @Test func `two orders of one key are found`() {
        let log = [#"{"taken":"B","key":"k"}"#, #"{"taken":"A","key":"k"}"#]
        var read = ClientLog()
        for line in log {
            let text = line.replacing("A", with: Self.a.description).replacing("B", with: Self.b.description)
            _ = (try? JSONValue(parsing: text, limits: JSONLimits(bytes: 1000))).map { read.read($0) }
        }
        #expect(read.secondOfKey == [Self.a])
        #expect(read.taken == [Self.a, Self.b])
    }
}
