import JSONWire
import Reactor
import TestSupport
import Testing

/// A request that is no order, and what is said to it.
struct BadOrder: CustomTestStringConvertible, Sendable {
    let body: [UInt8]
    let fields: [String]
    let status: Int
    let code: String
    let faulty: [String]

    init(
        _ body: String,
        _ status: Int = 422,
        _ code: String = "VALIDATION_FAILED",
        fields: [String] = ["Content-Type: application/json"],
        _ faulty: String...
    ) {
        self.init(bytes: Array(body.utf8), status, code, fields: fields, faulty)
    }

    init(
        bytes: [UInt8],
        _ status: Int,
        _ code: String,
        fields: [String] = ["Content-Type: application/json"],
        _ faulty: [String] = []
    ) {
        body = bytes
        self.fields = fields
        self.status = status
        self.code = code
        self.faulty = faulty
    }

    /// An order with one member said otherwise; left out for an empty text.
    init(member name: String, _ json: String) {
        self.init(bytes: Array(Self.order((name, json)).utf8), 422, "VALIDATION_FAILED", [name])
    }

    var testDescription: String {
        let text = String(decoding: body.prefix(100), as: UTF8.self)
        return "\(text)\(body.count > 100 ? "…" : "") \(fields.dropFirst().joined())"
    }

    static func order(_ changed: (name: String, json: String)...) -> String {
        var members = [
            ("type", #""limit""#), ("side", #""buy""#), ("instrument", #""DE000A0Q4RZ3""#), ("limit_price", "150.00"),
            ("quantity", "10"),
        ]
        for (name, json) in changed {
            if let place = members.firstIndex(where: { $0.0 == name }) {
                members[place].1 = json
            } else {
                members.append((name, json))
            }
        }
        return "{" + members.filter { !$0.1.isEmpty }.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
    }
}

extension EndToEndTests {
    /// CONTRACT §4: what is refused, with every field at fault, and that nothing of it is stored.
    @Suite struct OrderRefusalTests {
        private let system: System

        /// What is not JSON in UTF-8: 400.
        private static let malformedTexts: [String] = [
            "", " ", "{", "}", "nonsense", "{}{}", "{} x", "{'type':'limit'}", #"{"type":"limit",}"#, "\u{FEFF}{}",
            #"{"quantity":NaN}"#, #"{"quantity":Infinity}"#, #"{"quantity":+1}"#, #"{"quantity":01}"#,
            #"{"quantity":.5}"#, #"{"quantity":1.}"#, #"{"quantity":0x10}"#, #"{"quantity":1e}"#, #"{"a":tru}"#,
            "{\"a\":\"\n\"}", #"{"a":"\x"}"#, #"{"a":"\u12"}"#, #"{"a":1 "b":2}"#, "/* */{}", "{\"a\":\"\u{0}\"}",
            "{}\u{0}", #"{"instrument":"\ud800\ud800\ud800\ud800"}"#, #"{"instrument":"DE000A0Q4RZ\udc00"}"#,
        ]

        /// The same in bytes that are not UTF-8: none of it, a lone surrogate, an overlong slash, UTF-16.
        private static let malformedBytes: [[UInt8]] =
            [[0xFF], [0xED, 0xA0, 0x80], [0xC0, 0xAF], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]]
            .map { Array(#"{"side":""#.utf8) + $0 + Array(#""}"#.utf8) }
            + [[0xFF, 0xFE] + "{}".utf8.flatMap { [$0, 0] }]

        /// What members must not be: 422 for that member alone; left out for an empty text.
        private static let wrongMembers: [(name: String, values: [String])] = [
            (
                "quantity",
                [
                    "0", "-1", "1.5", "-0", "9007199254740992", "9007199254740993", "9223372036854775807",
                    "18446744073709551617", "1e400", "-1e400", "1e-400", "1e99999999999999999999", "\"10\"", "true",
                    "[10]", "{\"a\":1}", "null", "", "0." + String(repeating: "0", count: 500) + "1",
                    String(repeating: "9", count: 20_000),
                ]
            ),
            (
                "limit_price",
                [
                    "0", "0.00", "-0.01", "0.001", "150.005", "1e400", "1e-400", "1e-3", "10000000000000000",
                    "\"150.00\"", "false", "[]", "{}", "null", "", "99999999999999999.99", "0.0000000000000000000001",
                    String(repeating: "1", count: 20_000),
                ]
            ),
            ("type", ["null", "", "1", "[]", "{}", "\"\"", "\"stop\"", "\"LIMIT\"", "\"limit \"", "\"limit\\u0000\""]),
            ("side", ["null", "", "0", "\"BUY\"", "\"hold\"", "[\"buy\"]"]),
            (
                "instrument",
                [
                    "null", "", "\"\"", "123456789012", "\"DE000A0Q4RZ\"", "\"DE000A0Q4RZ33\"", "\"DE000A0Q4RZ-\"",
                    "\" DE000A0Q4RZ\"", "\"DE000A0Q4RZ\\n\"", "\"DE000A0Q4RZ\\u0000\"", "\"ÄÖÜÄÖÜÄÖÜÄÖÜ\"",
                    "\"äöüäöü\"", "\"１２３４５６７８９０１２\"", "\"DE000A0Q4RZ\\u0663\"",
                    "\"DE000A0Q4RZ\\ud83d\\ude00\"", "\"🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂\"", "\"'; drop table;\"",
                    "[\"DE000A0Q4RZ3\"]",
                ]
            ),
            (
                "expires_at",
                [
                    "1900000000", "\"9999-12-31T23:59:59-00:01\"", "\"\"", "\"tomorrow\"", "\"2999-01-15\"",
                    "\"2999-01-15T08:00:00\"",
                    "\"2999-02-30T08:00:00Z\"", "\"2001-01-01T00:00:00Z\"", "[]",
                ]
            ),
            // None of an order's members, also by their case.
            ("client_id", ["7", "null"]), ("Type", ["\"limit\""]), ("id", ["null"]), (" ", ["1"]),
        ]

        /// What is wrong with a body as a whole, and the members that are named.
        private static let wrongBodies: [(body: String, faulty: [String])] = [
            (BadOrder.order().dropLast() + #","quantity":10}"#, ["quantity"]),
            (BadOrder.order().dropLast() + #","\u0071uantity":10}"#, ["quantity"]),
            (BadOrder.order().dropLast() + #","limit_price":null}"#, ["limit_price"]),
            (BadOrder.order().dropLast() + #","type":"market"}"#, ["type"]),
            (BadOrder.order(("type", #""market""#)), ["limit_price"]),
            ("{}", ["type", "side", "instrument", "quantity"]),
            (
                #"{"type":"market","side":"up","instrument":"x","limit_price":1,"quantity":0,"a":1,"a":2}"#,
                ["side", "instrument", "quantity", "limit_price", "a"]
            ),
            ("[]", []), ("[{}]", []), ("null", []), ("true", []), ("0", []),
            ("1e400", []), (#""text""#, []),
            // Deeper than anything of ours, whether it comes to its end or not.
            (#"{"a":"# + String(repeating: "[", count: 5000) + String(repeating: "]", count: 5000) + "}", []),
            (String(repeating: #"{"a":"#, count: 5000), []),
        ]

        /// Media types that are not JSON's, and keys that are none.
        private static let mediaTypes: [[String]] = [
            [], ["Content-Type: text/plain"], ["Content-Type: application/jsonp"], ["Content-Type: application/xml"],
        ]
        private static let keys: [[String]] = [
            ["Idempotency-Key:"], ["Idempotency-Key: " + String(repeating: "k", count: 256)],
            ["Idempotency-Key: a b"], ["Idempotency-Key: schlüssel"], ["Idempotency-Key: a", "Idempotency-Key: a"],
        ]

        init() throws { system = try #require(RunningSystem.current) }

        private static var all: [BadOrder] {
            var all = malformedTexts.map { BadOrder($0, 400, "MALFORMED_JSON") }
            all += malformedBytes.map { BadOrder(bytes: $0, 400, "MALFORMED_JSON") }
            for (name, values) in wrongMembers { all += values.map { BadOrder(member: name, $0) } }
            all += wrongBodies.map { BadOrder(bytes: Array($0.body.utf8), 422, "VALIDATION_FAILED", $0.faulty) }
            all += mediaTypes.map { BadOrder(BadOrder.order(), 415, "UNSUPPORTED_MEDIA_TYPE", fields: $0) }
            let json = ["Content-Type: application/json"]
            for key in keys {
                all.append(
                    BadOrder(BadOrder.order(), 400, "INVALID_PARAMETER", fields: json + key, "Idempotency-Key")
                )
            }
            let huge = BadOrder.order(("instrument", "\"" + String(repeating: "A", count: 70_000) + "\""))
            return all + [BadOrder(huge, 413, "PAYLOAD_TOO_LARGE")]
        }

        @Test(arguments: Role.allCases) @ReactorActor
        func `what is no order is refused with every field at fault, and nothing is stored`(role: Role) async throws {
            // Of the events the first of each order: orders of other tests may still be on their way to the exchange.
            let tables = """
                select count(*) from orders union all select count(*) from order_events where version = 1
                """
            let before = try await system.sql(tables)
            for bad in Self.all {
                let response = try await request(
                    "POST",
                    "/orders",
                    on: system.endpoint(role),
                    fields: bad.fields,
                    bytes: bad.body
                )
                let error = ErrorBody(response)
                let found = "\(response.status) \(error?.code ?? "-") \(error?.fields.sorted() ?? [])"
                #expect(found == "\(bad.status) \(bad.code) \(bad.faulty.sorted())", "\(bad.testDescription)")
            }
            #expect(try await system.sql(tables) == before)
        }

        private static let spellings: [(body: String, price: String, quantity: Int)] = [
            (BadOrder.order(("limit_price", "150")), "150.00", 10),
            (BadOrder.order(("limit_price", "1.5e2")), "150.00", 10),
            (BadOrder.order(("limit_price", "0.010")), "0.01", 10),
            (BadOrder.order(("limit_price", "9999999999999999.99")), "9999999999999999.99", 10),
            (BadOrder.order(("quantity", "1.0")), "150.00", 1), (BadOrder.order(("quantity", "1e1")), "150.00", 10),
            (BadOrder.order(("quantity", "9007199254740991")), "150.00", 9_007_199_254_740_991),
            (BadOrder.order(("type", #""market""#), ("limit_price", "null")), "null", 10),
            (BadOrder.order(("expires_at", "null")), "150.00", 10),
            (BadOrder.order(("instrument", #""DE000A0Q\u0034RZ3""#)), "150.00", 10),
        ]

        @Test(arguments: spellings) @ReactorActor
        func `what is an order however it is spelt is taken, exactly`(body: String, price: String, quantity: Int)
            async throws
        {
            let answer = try await system.order(.gateway, " \n\(body)\t")
            #expect(answer.status == 201, "\(answer.body)")
            #expect(answer.body.contains(#""limit_price":\#(price),"#), "\(answer.body)")
            #expect(answer.json?["quantity"]?.integer == quantity)
            let id = try #require(answer.json?["id"]?.string)
            #expect(try await system.ask(.api, "/orders/\(id)").json?["limit_price"] == answer.json?["limit_price"])
        }
    }
}
