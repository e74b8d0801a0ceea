import JSONWire
import Testing
import WebAPI

@Suite struct FieldsTests {
    private enum Side: String, CaseIterable { case buy, sell }

    private static let side = Field.member("side", FieldRule<Side>.word, "Which way.", isRequired: true)
    private static let price = Field.member("price", .positiveDecimal(places: 2, digits: 12), "At most.")
    private static let quantity = Field.member("quantity", .wholeNumber(in: 1...9_007_199_254_740_991), "How many.")
    private static let name = Field.member("name", .text(of: .alphanumeric, length: 3...3), "Of what.")
    private static let until = Field.member("until", .timestamp, "Until when.")
    private static let key = Field.header("Idempotency-Key", .text(of: .visible, length: 1...255), "Names it.")
    private static let limit = Field.query("limit", .wholeNumber(in: 1...1000), "How many.", example: 10)
    private static let number = Field.path("number", .wholeNumber(in: 1...9), "Which.", example: 1)

    private static let json = "Content-Type: application/json"

    /// What a route makes of a body: `side price quantity name until key limit`, or `CODE field …`.
    private func read(
        _ body: String,
        target: String = "/",
        fields: [String] = [json],
        number: String = "1"
    ) throws -> String {
        let request = try #require(
            RequestContent(target: target, fields: fields, parameters: ["number": number], body: body)
        )
        do {
            var fields = try Fields(request)
            _ = fields.read(Self.number)
            let side = fields.read(Self.side)
            let price = fields.read(Self.price)
            let quantity = fields.read(Self.quantity)
            let name = fields.read(Self.name)
            let until = fields.read(Self.until)
            let key = fields.read(Self.key)
            let limit = fields.read(Self.limit)
            if side == .sell, !fields.isAbsent(Self.price) { fields.refuse(Self.price, "price is for buyers") }
            let known = try fields.finish(side)
            let optionals: [Any?] = [price, quantity, name, until, key, limit]
            return ([known.rawValue] + optionals.map { $0.map { "\($0)" } ?? "-" }).joined(separator: " ")
        } catch {
            #expect(error.details.allSatisfy { $0.message.hasPrefix($0.field) })
            return ([error.code.rawValue] + error.details.map(\.field)).joined(separator: " ")
        }
    }

    @Test func `what is right is read`() throws {
        let body = #"{"side":"buy","price":150.5,"quantity":10,"name":"abc","until":"2025-01-06T10:30:00+01:00"}"#
        let found = try read(body, target: "/?limit=7", fields: [Self.json, "Idempotency-Key: a-1"])
        #expect(found == "buy 150.50 10 abc 2025-01-06T09:30:00.000Z a-1 7")
        #expect(try read(#"{"side":"sell","price":null,"quantity":null}"#) == "sell - - - - - -")
    }

    @Test(
        arguments: [
            ("1.0", "1"), ("1e2", "100"), ("10.50e1", "105"), ("9007199254740991", "9007199254740991"),
            ("9007199254740991.0", "9007199254740991"), ("0.1e1", "1"), ("1000000000000000e-15", "1"),
            ("9007199254740993", nil), ("9007199254740992", nil), ("1e400", nil), ("1e99999999999999999999", nil),
            ("1e-400", nil), ("0", nil), ("-1", nil), ("1.5", nil), ("0e400", nil), ("\"1\"", nil), ("true", nil),
            ("[1]", nil), ("{}", nil),
        ] as [(String, String?)]
    )
    func `a whole number is exact, however it is written`(text: String, expected: String?) throws {
        let found = try read(#"{"side":"buy","quantity":\#(text)}"#)
        #expect(found == expected.map { "buy - \($0) - - - -" } ?? "VALIDATION_FAILED quantity")
    }

    @Test(
        arguments: [
            ("150", "150.00"), ("150.00", "150.00"), ("150.000", "150.00"), ("0.01", "0.01"), ("1.5e1", "15.00"),
            ("999999999999.99", "999999999999.99"), ("0.1", "0.10"), ("90071992547.41", "90071992547.41"),
            ("150.001", nil), ("0.005", nil), ("1e-3", nil), ("1000000000000", nil), ("1e400", nil), ("0", nil),
            ("0.00", nil), ("-0.01", nil), ("\"150.00\"", nil), ("1000000000000000000000000000000.5", nil),
        ] as [(String, String?)]
    )
    func `a decimal is exact, however it is written`(text: String, expected: String?) throws {
        let found = try read(#"{"side":"buy","price":\#(text)}"#)
        #expect(found == expected.map { "buy \($0) - - - - -" } ?? "VALIDATION_FAILED price")
    }

    @Test(arguments: [
        ("{}", "VALIDATION_FAILED side"),
        (#"{"side":null}"#, "VALIDATION_FAILED side"),
        (
            #"{"side":"hold","price":-1,"quantity":"x","name":"äöü","until":"soon","what":1}"#,
            "VALIDATION_FAILED side price quantity name until what"
        ),
        (#"{"side":"buy","side":"buy"}"#, "VALIDATION_FAILED side"),
        (#"{"side":"buy","side":1,"quantity":0}"#, "VALIDATION_FAILED side quantity"),
        (#"{"side":"sell","price":1}"#, "VALIDATION_FAILED price"),
        (#"{"side":"buy","extra":{"a":1,"a":2}}"#, "VALIDATION_FAILED extra"),
        (#"{"side":"buy","name":"abcd"}"#, "VALIDATION_FAILED name"),
        ("[]", "VALIDATION_FAILED"), ("null", "VALIDATION_FAILED"), ("1", "VALIDATION_FAILED"),
        (String(repeating: "[", count: 500) + String(repeating: "]", count: 500), "VALIDATION_FAILED"),
        ("", "MALFORMED_JSON"), ("{", "MALFORMED_JSON"), ("{} {}", "MALFORMED_JSON"), ("{'a':1}", "MALFORMED_JSON"),
        (#"{"side":"buy",}"#, "MALFORMED_JSON"), (#"{"quantity":NaN}"#, "MALFORMED_JSON"),
        (#"{"quantity":01}"#, "MALFORMED_JSON"), (#"{"side":"\ud800"}"#, "MALFORMED_JSON"),
    ])
    func `of a body every member at fault is named`(body: String, expected: String) throws {
        #expect(try read(body) == expected)
    }

    @Test func `bytes that are not UTF-8 are not JSON`() throws {
        let head = try #require(RequestContent(target: "/", fields: [Self.json])).head
        let request = RequestContent(head, body: Array(#"{"side":""#.utf8) + [0xFF] + Array(#""}"#.utf8))
        let refusal = request.refusal { request throws(APIError) in _ = try Fields(request) }
        #expect(refusal?.code == .malformedJSON)
    }

    @Test func `a body of very many members is refused with a short answer`() throws {
        let members = (0..<10_000).map { #""m\#($0)":1"# }.joined(separator: ",")
        #expect(try read("{\(members)}") == "VALIDATION_FAILED")
        let repeated = (0..<10_000).map { #""m\#($0)":1,"m\#($0)":1"# }.joined(separator: ",")
        #expect(try read("{\(repeated)}") == "VALIDATION_FAILED")
    }

    @Test(arguments: [
        ("Content-Type: application/json", true), ("Content-Type: Application/JSON ; charset=UTF-8", true),
        (#"content-type: application/json;charset="utf-8""#, true), ("Content-Type: application/json;", true),
        ("Content-Type: application/jsonX", false), ("Content-Type: text/plain", false), ("X-Other: 1", false),
        ("Content-Type: application/json; charset=latin1", false),
        ("Content-Type: application/merge-patch+json", false),
        ("Content-Type: application/x-www-form-urlencoded", false), ("Content-Type: json", false),
        ("Content-Type: application/json\r\nContent-Type: application/json", false),
    ])
    func `a body says that it is JSON`(field: String, isTaken: Bool) throws {
        let found = try read(#"{"side":"buy"}"#, fields: [field])
        #expect(found == (isTaken ? "buy - - - - - -" : "UNSUPPORTED_MEDIA_TYPE"))
    }

    @Test func `faults of all places are told together, and parameters name the answer`() throws {
        let found = try read(
            #"{"side":"hold","other":1}"#,
            target: "/?limit=0&page=1&size=%zz",
            fields: [Self.json, "Idempotency-Key: a b"]
        )
        #expect(found == "INVALID_PARAMETER side Idempotency-Key limit page size other")
        #expect(try read(#"{"side":"hold"}"#, target: "/?page=1") == "UNKNOWN_PARAMETER side page")
    }

    @Test(arguments: ["0", "+1", "1.0", "1e1", "", "1001", "٣", "9223372036854775808", "1&limit=1"])
    func `a number in a query is written in digits`(text: String) throws {
        let encoded = text == "٣" ? "%D9%A3" : text
        #expect(try read(#"{"side":"buy"}"#, target: "/?limit=\(encoded)") == "INVALID_PARAMETER limit")
    }

    @Test func `a header field is given once`() throws {
        let fields = [Self.json, "Idempotency-Key: a", "Idempotency-Key: a"]
        #expect(try read(#"{"side":"buy"}"#, fields: fields) == "INVALID_PARAMETER Idempotency-Key")
    }

    @Test func `a path that names nothing is nothing, whatever else is wrong`() throws {
        #expect(try read("{}", number: "x") == "NOT_FOUND")
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z"), ("2024-02-29t23:59:59z", "2024-02-29T23:59:59.000Z"),
            ("2025-01-01T00:30:00.1239+01:00", "2024-12-31T23:30:00.123Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999Z"),
            ("2025-03-01T00:00:00-00:00", "2025-03-01T00:00:00.000Z"),
            ("2000-03-01T00:00:00Z", "2000-03-01T00:00:00.000Z"),
            ("2025-02-29T00:00:00Z", nil), ("2025-01-06", nil), ("2025-01-06T09:30:00", nil),
            ("2025-01-06 09:30:00Z", nil),
            ("2025-01-06T24:00:00Z", nil), ("2025-01-06T09:30:60Z", nil), ("2025-01-06T09:30:00.Z", nil),
            ("2025-01-06T09:30:00+1:00", nil),
            ("1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.250Z"),
            ("1970-01-01T00:00:00+01:00", "1969-12-31T23:00:00.000Z"),
            ("1900-02-28T00:00:00Z", "1900-02-28T00:00:00.000Z"), ("1900-02-29T00:00:00Z", nil),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"), ("0001-01-01T00:00:00+00:01", nil),
            ("0000-12-31T00:00:00Z", nil), ("9999-12-31T23:59:59-00:01", nil),
            ("2025-13-01T00:00:00Z", nil), ("2025-01-06T09:30:00.1234567891Z", nil),
        ] as [(String, String?)]
    )
    func `a time is read as RFC 3339 has it`(text: String, expected: String?) throws {
        #expect(Timestamp(text)?.description == expected)
    }
}
