import JSONWire
import Testing

@testable import Orders

@Suite struct ExecutionReportParsingTests {
    private static let id = "01a1fd76-c4ba-78d7-ac0f-73e05585ea0a"

    private static func line(_ text: String) -> ReportLine { ReportLine(Array(text.utf8)) }

    /// A fill with another member in place of the one of its name.
    private static func fill(_ name: String, _ value: String) -> ReportLine {
        var members = ["number": "7", "type": #""fill""#, "order_id": "\"\(id)\"", "execution_id": #""x""#]
        members["quantity"] = "4"
        members["price"] = "1.50"
        members[name] = value
        return line("{\(members.map { "\"\($0)\":\($1)" }.joined(separator: ","))}")
    }

    private static func execution(_ quantity: Int, _ price: String) -> ReportLine {
        let execution = ExecutionReport.Execution(id: "x", quantity: quantity, price: price)
        return .report(ExecutionReport(number: 7, content: .execution(OrderID(id)!, execution)))
    }

    @Test func `prices and quantities are taken as they are written`() {
        #expect(Self.fill("price", "1.50") == Self.execution(4, "1.50"))
        // The highest that an order may name.
        #expect(Self.fill("price", "9999999999999999.99") == Self.execution(4, "9999999999999999.99"))
        #expect(Self.fill("price", "0.0000000001") == Self.execution(4, "0.0000000001"))
        #expect(Self.fill("quantity", "9007199254740991") == Self.execution(9_007_199_254_740_991, "1.50"))
        #expect(Self.fill("quantity", "0") == Self.execution(0, "1.50"))
        #expect(Self.fill("type", #""correction""#) == Self.execution(4, "1.50"))
    }

    @Test(arguments: [
        ("type", #""bust""#), ("type", "1"), ("order_id", #""mine""#), ("execution_id", #""""#), ("execution_id", "1"),
        ("execution_id", #""a\u0000b""#), ("quantity", "-1"), ("quantity", "1.5"), ("quantity", "9007199254740992"),
        ("quantity", #""4""#), ("price", "0"), ("price", "-1"), ("price", "1e999"), ("price", #""1.50""#),
        ("price", "null"),
    ])
    func `a report that cannot be used keeps its number, so that those behind it are not held up`(
        name: String,
        value: String
    ) {
        #expect(Self.fill(name, value) == .report(ExecutionReport(number: 7, content: .unusable)))
    }

    @Test func `lines without a number are heartbeats, or cannot be read`() {
        #expect(Self.line(#"{"heartbeat":12}"#) == .heartbeat(last: 12))
        for text in [
            "", "nonsense", "[]", "{}", #"{"heartbeat":-1}"#, #"{"heartbeat":"1"}"#, #"{"number":0}"#,
            #"{"heartbeat":9223372036854775807}"#,
        ] {
            #expect(Self.line(text) == .unreadable)
        }
        for number in ["1.5", "9223372036854775807"] { #expect(Self.fill("number", number) == .unreadable) }
    }
}
