import JSONWire
import Testing
import WebAPI

@testable import Orders

@Suite struct OrderSubmissionTests {
    private static let now = Timestamp(unixTime: .seconds(1_800_000_000))

    private func submission(_ body: String, _ fields: [String] = []) throws -> OrderSubmission {
        let content = try #require(
            RequestContent(target: "/orders", fields: ["Content-Type: application/json"] + fields, body: body)
        )
        return try OrderSubmission(content, now: Self.now)
    }

    private func refusal(_ body: String, _ fields: [String] = []) throws -> APIError? {
        do {
            _ = try submission(body, fields)
            return nil
        } catch let error as APIError {
            return error
        }
    }

    private static func body(_ changed: (name: String, json: String)...) -> String {
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

    @Test(arguments: [
        ("150.00", "150.00"), ("150", "150.00"), ("1.5e2", "150.00"), ("0.01", "0.01"), ("0.010", "0.01"),
        ("90071992547409.93", "90071992547409.93"), ("9999999999999999.99", "9999999999999999.99"),
    ])
    func `a price is exact however it is spelt`(_ spelling: String, _ price: String) throws {
        #expect(try submission(Self.body(("limit_price", spelling))).form.limitPrice?.description == price)
    }

    @Test(arguments: [
        ("limit_price", "0"), ("limit_price", "-1"), ("limit_price", "1.001"), ("limit_price", "1e400"),
        ("limit_price", "1e-3"), ("limit_price", #""150.00""#), ("limit_price", "true"), ("limit_price", "[1]"),
        ("quantity", "0"), ("quantity", "-5"), ("quantity", "1.5"), ("quantity", "9007199254740992"),
        ("quantity", "9007199254740993"), ("quantity", "1e400"), ("quantity", #""10""#), ("quantity", "null"),
        ("quantity", ""), ("type", #""stop""#), ("type", "1"), ("type", ""), ("side", #""BUY""#), ("side", "null"),
        ("instrument", #""DE000A0Q4RZ""#), ("instrument", #""DE000A0Q4RZ33""#), ("instrument", #""DE000A0Q4RZ-""#),
        ("instrument", #""ÄÖÜÄÖÜÄÖÜÄÖÜ""#), ("instrument", #""äöüäöü""#), ("instrument", #""DE000A0Q4RZ\u0000""#),
        ("expires_at", #""2027-01-15""#), ("expires_at", #""2027-01-15T08:00:00""#), ("expires_at", "1900000000"),
        ("expires_at", #""2027-01-14T07:59:59Z""#), ("client_id", "7"),
    ])
    func `a member that is wrong is named, and nothing else`(_ name: String, _ json: String) throws {
        let error = try #require(try refusal(Self.body((name, json))))
        #expect(error.code == .validationFailed)
        #expect(error.details.map(\.field) == [name])
    }

    @Test func `every member at fault is named at once`() throws {
        let error = try #require(
            try refusal(#"{"type":"market","side":"up","instrument":"x","limit_price":1,"quantity":0,"a":1,"a":2}"#)
        )
        #expect(error.code == .validationFailed)
        #expect(Set(error.details.map(\.field)) == ["side", "instrument", "quantity", "limit_price", "a"])
    }

    @Test func `a doubled member is refused`() throws {
        let error = try #require(try refusal(Self.body().dropLast() + #","quantity":10}"#))
        #expect(error.code == .validationFailed)
        #expect(error.details.map(\.field) == ["quantity"])
    }

    @Test func `a limit order needs a price and a market order has none`() throws {
        let missing = try #require(try refusal(Self.body(("limit_price", "null"))))
        #expect(
            missing.details == [
                APIError.Detail(
                    field: "limit_price",
                    message: "Attribute `limit_price` is required for type `limit`"
                )
            ]
        )
        let prohibited = try #require(try refusal(Self.body(("type", #""market""#))))
        #expect(
            prohibited.details == [
                APIError.Detail(
                    field: "limit_price",
                    message: "Providing a `limit_price` is prohibited for type `market`"
                )
            ]
        )
        #expect(try submission(Self.body(("type", #""market""#), ("limit_price", "null"))).form.limitPrice == nil)
    }

    @Test func `what is not JSON is 400, what does not say that it is JSON is 415`() throws {
        #expect(try refusal("{")?.code == .malformedJSON)
        #expect(try refusal("")?.code == .malformedJSON)
        #expect(try refusal("[]")?.code == .validationFailed)
        let content = RequestContent(target: "/orders", fields: ["Content-Type: text/plain"], body: Self.body())
        #expect(
            content?.refusal { c throws(APIError) in _ = try OrderSubmission(c, now: Self.now) }?.code
                == .unsupportedMediaType
        )
    }

    @Test func `an order that has expired is refused, unless it may be the repetition of one that had not`() throws {
        let past = Self.body(("expires_at", #""2027-01-14T08:00:00Z""#))
        #expect(try refusal(past) == OrderSubmission.past)
        #expect(try submission(past, ["Idempotency-Key: a"]).key == "a")
        let future = try submission(Self.body(("expires_at", #""2027-01-15T09:00:00.1239+01:00""#)))
        #expect(future.form.expiresAt?.description == "2027-01-15T08:00:00.123Z")
        // Less than a day is for the database to judge: the clock may be that of a machine that is wrong.
        let recent = try submission(Self.body(("expires_at", #""2027-01-14T08:00:01Z""#)))
        #expect(recent.form.expiresAt != nil)
    }

    @Test(arguments: ["", "a b", "ä", String(repeating: "x", count: 256)])
    func `an idempotency key is 1 to 255 visible characters`(_ key: String) throws {
        let error = try #require(try refusal(Self.body(), ["Idempotency-Key: \(key)"]))
        #expect(error.details.map(\.field) == ["Idempotency-Key"])
    }

    @Test func `an order is written with its exact price and two decimals`() throws {
        var source = OrderIDSource()
        var random = SystemRandomNumberGenerator()
        let id = source.next(unixTime: .milliseconds(1_764_300_000_250), using: &random)
        let order = Order(id: id, createdAt: id.createdAt, form: try submission(Self.body(("limit_price", "150"))).form)
        #expect(
            String(decoding: order.json, as: UTF8.self) == """
                {"id":"\(id)","created_at":"2025-11-28T03:20:00.250Z","type":"limit","side":"buy",\
                "instrument":"DE000A0Q4RZ3","limit_price":150.00,"quantity":10,"status":"pending"}
                """
        )
    }
}
