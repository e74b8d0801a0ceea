import HTTPWire
import Testing

@testable import Proxy

/// The decisions of RFC 9111, one row each.
@Suite struct CacheRulesTests {
    private static let now = HTTPDate.parse("Sun, 06 Nov 1994 08:49:37 GMT") ?? 0

    private func head(_ method: String = "GET", _ lines: [String] = []) throws -> RequestHead {
        var parser = RequestParser(limits: HTTPLimits())
        let text = "\(method) / HTTP/1.1\r\nHost: a\r\n" + lines.map { "\($0)\r\n" }.joined() + "\r\n"
        // One byte each, as fields had it before UTF-8.
        let bytes = text.unicodeScalars.map { UInt8($0.value) }
        guard case .deliverHead(let head) = try parser.step(bytes.span).action else { throw NoHead() }
        return head
    }

    private func mayStore(_ request: RequestHead, _ status: HTTPStatus, _ fields: HTTPFields) -> Bool {
        CacheRules.mayStore(request, status, fields, receivedAt: Self.now)
    }

    private func lifetime(_ fields: HTTPFields) -> Int {
        CacheRules.lifetime(CacheDirectives(fields, isRequest: false), fields, receivedAt: Self.now)
    }

    private struct NoHead: Error {}

    private func fields(_ lines: [String]) -> HTTPFields {
        var fields = HTTPFields()
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1)
            fields.append(String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
        return fields
    }

    @Test(
        arguments: [
            (["Cache-Control: max-age=60"], true),
            (["Cache-Control: s-maxage=60, private"], false),
            (["Cache-Control: max-age=60, private=\"x\""], false),
            (["Cache-Control: no-store, max-age=60"], false),
            (["Cache-Control: no-store, must-understand, max-age=60"], true),
            (["Cache-Control: max-age=60", "Set-Cookie: a=1"], false),
            (["Cache-Control: max-age=60", "Vary: Accept, *"], false),
            (["Cache-Control: max-age=60", "Vary: Accept"], true),
            (["Cache-Control: max-age=60", "Vary: Accept, X-Forwarded-For"], false),
            (["Cache-Control: max-age=60", "Vary: traceparent"], false),
            (["Cache-Control: max-age=60", "Vary: X-Forwarded-Proto, X-Forwarded-Host"], true),
            (["Cache-Control: max-age=0"], false),
            (["Cache-Control: max-age=0", "ETag: \"a\""], true),
            (["Cache-Control: no-cache", "ETag: \"a\""], true),
            (["Cache-Control: max-age=0, stale-while-revalidate=5"], true),
            (["Expires: Sun, 06 Nov 1994 08:50:37 GMT", "Date: Sun, 06 Nov 1994 08:49:37 GMT"], true),
            (["Expires: 0", "Date: Sun, 06 Nov 1994 08:49:37 GMT"], false),
            // Without a date it is of when it came.
            (["Expires: Sun, 06 Nov 1994 08:50:37 GMT"], true), (["Expires: Sun, 06 Nov 1994 08:49:37 GMT"], false),
            (["Expires: Sun, 06 Nov 1994 08:50:37 GMT", "Date: 0"], false), (["Expires: 0"], false),
            (["ETag: \"a\""], true),
            ([], false),
        ]
    )
    func `what may be kept`(lines: [String], isStored: Bool) throws {
        #expect(mayStore(try head(), .ok, fields(lines)) == isStored)
    }

    @Test func `what may not be kept, whatever it says`() throws {
        let fresh = fields(["Cache-Control: max-age=60"])
        #expect(!mayStore(try head("POST"), .ok, fresh))
        #expect(!mayStore(try head(), .partialContent, fresh))
        #expect(!mayStore(try head(), .notModified, fresh))
        // What a condition or a part came to is nothing for who asked for neither.
        #expect(!mayStore(try head("GET", ["If-Match: \"a\""]), .preconditionFailed, fresh))
        #expect(!mayStore(try head("GET", ["Range: bytes=9-"]), .rangeNotSatisfiable, fresh))
        #expect(!mayStore(try head("GET", ["Cache-Control: no-store"]), .ok, fresh))
        let authorized = try head("GET", ["Authorization: Basic x"])
        #expect(!mayStore(authorized, .ok, fresh))
        for word in ["public", "s-maxage=5", "must-revalidate"] {
            #expect(mayStore(authorized, .ok, fields(["Cache-Control: max-age=60, \(word)"])))
        }
    }

    @Test(
        arguments: [
            ("max-age=60", 60), ("max-age=60, s-maxage=5", 5), ("max-age=\"60\"", 60), ("max-age=x", 0),
            ("max-age=60, max-age=5", 5), ("MAX-AGE=7", 7), ("max-age=99999999999999999999", Int(Int32.max)),
            ("a=\"max-age=9\", max-age=8", 8), ("max-age=-1", 0),
        ]
    )
    func `how long an answer is fresh`(directives: String, lifetime: Int) {
        #expect(self.lifetime(fields(["Cache-Control: \(directives)"])) == lifetime)
    }

    @Test(
        arguments: [
            (["Date: Sun, 06 Nov 1994 08:50:07 GMT"], 30), ([], 60), (["Date: Sun, 06 Nov 1994 08:51:37 GMT"], 0),
            (["Date: now"], 0), (["Date: Sun, 06 Nov 1994 08:50:07 GMT", "Date: Sun, 06 Nov 1994 08:50:07 GMT"], 0),
            (["Cache-Control: max-age=5"], 5),
        ] as [([String], Int)]
    )
    func `what expires is fresh from its date on, or from when it came`(lines: [String], lifetime: Int) {
        #expect(self.lifetime(fields(["Expires: Sun, 06 Nov 1994 08:50:37 GMT"] + lines)) == lifetime)
    }

    @Test func `age counts from what the answer says and how long it took`() {
        let date = "Date: Sun, 06 Nov 1994 08:49:37 GMT"
        #expect(CacheRules.initialAge(fields([date]), requestedAt: Self.now, receivedAt: Self.now + 3) == 3)
        #expect(
            CacheRules.initialAge(fields([date, "Age: 30"]), requestedAt: Self.now, receivedAt: Self.now + 3) == 33
        )
        #expect(CacheRules.initialAge(fields(["Age: x"]), requestedAt: 5, receivedAt: 5) == 0)
    }

    @Test(
        arguments: [
            ("max-age=60", "", 59, CacheRules.Use.serve), ("max-age=60", "", 60, .validate),
            ("max-age=60, no-cache", "", 0, .validate), ("max-age=60", "no-cache", 0, .validate),
            ("max-age=60", "max-age=5", 6, .validate), ("max-age=60", "max-age=5", 5, .serve),
            ("max-age=60", "min-fresh=10", 51, .validate), ("max-age=60", "min-fresh=10", 50, .serve),
            ("max-age=60", "max-stale=10", 70, .serve), ("max-age=60", "max-stale=10", 71, .validate),
            ("max-age=60", "max-stale", 9999, .serve), ("max-age=60, must-revalidate", "max-stale", 61, .validate),
            ("max-age=60, stale-while-revalidate=5", "", 65, .serveAndRefresh),
            ("max-age=60, stale-while-revalidate=5", "", 66, .validate),
            ("max-age=60, stale-while-revalidate=5, must-revalidate", "", 61, .validate),
            ("max-age=60, stale-while-revalidate=5, proxy-revalidate", "", 61, .validate),
            ("s-maxage=60, stale-while-revalidate=5", "", 61, .validate),
        ]
    )
    func `how what is kept may be used`(said: String, asked: String, age: Int, use: CacheRules.Use) {
        let kept = Freshness(fields(["Cache-Control: \(said)"]), requestedAt: 0, receivedAt: 0)
        let request = CacheDirectives(fields(asked.isEmpty ? [] : ["Cache-Control: \(asked)"]), isRequest: true)
        #expect(CacheRules.use(kept, asked: request, now: age) == use)
    }

    @Test(
        arguments: [
            ("max-age=60, stale-if-error=10", "", 70, true), ("max-age=60, stale-if-error=10", "", 71, false),
            ("max-age=60", "", 61, false), ("max-age=60", "stale-if-error=10", 70, true),
            ("max-age=60, stale-if-error=10, must-revalidate", "", 61, false),
        ]
    )
    func `what stands in for an error`(said: String, asked: String, age: Int, isServed: Bool) {
        let kept = Freshness(fields(["Cache-Control: \(said)"]), requestedAt: 0, receivedAt: 0)
        let request = CacheDirectives(fields(asked.isEmpty ? [] : ["Cache-Control: \(asked)"]), isRequest: true)
        #expect(CacheRules.mayServeOnError(kept, asked: request, now: age) == isServed)
    }

    @Test(
        arguments: [
            ("max-age=5", "max-age=60", 5), ("private", "max-age=60", nil), ("max-age=5", "no-store", 5),
            ("max-age=\"5\"", "max-age=60", 60), ("max-age=5, &&", "max-age=60", 60), ("max-age =5", "max-age=60", 60),
            ("max-age=5;a=1", "max-age=60", 5), (" ", "max-age=60", 60), ("private=\"a, b\"", "max-age=60", nil),
        ]
    )
    func `what is said to caches like this one counts alone`(said: String, toAll: String, lifetime: Int?) throws {
        let answer = fields(["CDN-Cache-Control: \(said)", "Cache-Control: \(toAll)"])
        #expect(mayStore(try head(), .ok, answer) == (lifetime != nil))
        guard let lifetime else { return }
        #expect(self.lifetime(answer) == lifetime)
    }

    @Test func `Pragma counts where there is no Cache-Control`() {
        #expect(CacheDirectives(fields(["Pragma: no-cache"]), isRequest: true).noCache)
        #expect(!CacheDirectives(fields(["Pragma: no-cache", "Cache-Control: max-age=1"]), isRequest: true).noCache)
    }

    @Test(
        arguments: [
            ("bytes=0-9223372036854775807", RequestedRange.Asked.part(0..<10)),
            ("bytes=9-99999999999999999999", .part(9..<10)), ("bytes=-9223372036854775807", .part(0..<10)),
            ("bytes=9223372036854775807-", .unsatisfiable),
            ("bytes=0-1", .part(0..<2)), ("bytes=8-", .part(8..<10)), ("bytes=-3", .part(7..<10)),
            ("bytes=-30", .part(0..<10)), ("bytes=5-99", .part(5..<10)), ("bytes=10-", .unsatisfiable),
            ("bytes=-0", .unsatisfiable), ("bytes=2-1", .whole), ("bytes=0-1,3-4", .whole), ("lines=0-1", .whole),
            ("bytes=a-b", .whole), ("bytes=-", .whole),
        ]
    )
    func `the part that is asked for`(text: String, asked: RequestedRange.Asked) {
        #expect(RequestedRange.parse(text, of: 10) == asked)
    }

    @Test(
        arguments: [
            (["Date: Sun, 06 Nov 1994 08:49:38 GMT"], true), (["Date: Sun, 06 Nov 1994 08:49:37 GMT"], false),
            (["Date: Sun, 06 Nov 1994 08:49:36 GMT"], false), (["Date: later"], false),
            (["Date: Sun, 06 Nov 1994 08:49:38 GMT", "Date: Sun, 06 Nov 1994 08:49:38 GMT"], false),
            (["Date: Sun, 06 Nov 1994 08:49:38 GMT", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"], false),
        ] as [([String], Bool)]
    )
    func `the time of a change tells a body from others of a later second`(lines: [String], isStrong: Bool) {
        let answer = fields(["Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"] + lines)
        #expect(CacheRules.isModificationStrong(answer, receivedAt: Self.now + 3600) == isStrong)
    }

    @Test func `without a date of the upstream's clock, a change must be longer ago`() {
        let answer = fields(["Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"])
        #expect(!CacheRules.isModificationStrong(answer, receivedAt: Self.now + 60))
        #expect(CacheRules.isModificationStrong(answer, receivedAt: Self.now + 61))
        #expect(!CacheRules.isModificationStrong(fields(["Last-Modified: 0"]), receivedAt: Self.now))
        #expect(!CacheRules.isModificationStrong(fields([]), receivedAt: Self.now))
    }

    @Test(
        arguments: [
            ("\"a\"", false, true), ("\"b\"", true, false), ("W/\"a\"", true, false), ("a", true, false),
            ("Sun, 06 Nov 1994 08:49:37 GMT", true, true), ("Sun, 06 Nov 1994 08:49:37 GMT", false, false),
            ("Sun, 06 Nov 1994 08:49:38 GMT", true, false),
        ] as [(String, Bool, Bool)]
    )
    func `a part is given to who has another part of the same`(condition: String, isStrong: Bool, isGiven: Bool) throws
    {
        let answer = fields(["ETag: \"a\"", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"])
        let request = try head("GET", ["Range: bytes=0-1", "If-Range: \(condition)"])
        let asked = RequestedRange.asked(request, of: 10, answer, isModificationStrong: isStrong)
        #expect(asked == (isGiven ? .part(0..<2) : .whole))
    }

    @Test func `what a client has already`() throws {
        let answer = fields(["ETag: \"a\"", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"])
        for (line, isMet) in [
            ("If-None-Match: \"a\"", true), ("If-None-Match: W/\"a\", \"b\"", true), ("If-None-Match: \"b\"", false),
            ("If-None-Match: *", true), ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", true),
            ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", false),
        ] {
            #expect(ClientConditions.areMet(try head("GET", [line]), by: answer) == isMet, "\(line)")
        }
        let both = try head(
            "GET",
            ["If-None-Match: \"b\"", "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"]
        )
        #expect(!ClientConditions.areMet(both, by: answer))
        let twice = ["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "If-Modified-Since: 0"]
        #expect(!ClientConditions.areMet(try head("GET", twice), by: answer))
        #expect(!ClientConditions.areMet(try head("GET", twice.reversed()), by: answer))
    }

    @Test func `of two ranges in two lines neither is asked for`() throws {
        let request = try head("GET", ["Range: bytes=0-0", "Range: bytes=1-1"])
        let asked = RequestedRange.asked(request, of: 5, fields([]), isModificationStrong: true)
        #expect(asked == .whole)
    }

    @Test(
        arguments: [
            (["Date: Sun, 06 Nov 1994 08:49:37 GMT"], true), (["Date: Sun, 06 Nov 1994 08:49:38 GMT"], false),
            (["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Last-Modified: 0"], false),
            (["Date: Sun, 06 Nov 1994 08:49:38 GMT", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"], true),
            ([], false),
        ] as [([String], Bool)]
    )
    func `what does not say when it was changed is of its date`(lines: [String], isMet: Bool) throws {
        let request = try head("GET", ["If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"])
        #expect(ClientConditions.areMet(request, by: fields(lines)) == isMet)
    }

    @Test func `variants are told apart by what Vary names`() throws {
        let answer = fields(["Vary: Accept-Language, X-A"])
        let variant = CacheVariant(answer, of: try head("GET", ["Accept-Language: de, fr"]))
        #expect(variant == CacheVariant(answer, of: try head("GET", ["Accept-Language: de ,,fr"])))
        #expect(variant == CacheVariant(answer, of: try head("GET", ["accept-language: de", "Accept-Language: fr"])))
        #expect(variant != CacheVariant(answer, of: try head("GET", ["Accept-Language: fr"])))
        #expect(variant != CacheVariant(answer, of: try head("GET", ["Accept-Language: \"de, fr\""])))
        #expect(variant != CacheVariant(answer, of: try head("GET", ["Accept-Language: de, fr", "X-A: 1"])))
        #expect(variant != CacheVariant(answer, of: try head()))
    }

    @Test func `what the upstream does not get is no part of a variant`() throws {
        let answer = fields(["Vary: X-A"])
        let variant = CacheVariant(answer, of: try head("GET", ["X-A: 1", "Connection: X-A"]))
        #expect(variant != CacheVariant(answer, of: try head("GET", ["X-A: 1"])))
        #expect(variant == CacheVariant(answer, of: try head()))
    }

    @Test(arguments: [
        ("Cookie: id=1,2", "Cookie: id=1,,2"), ("Cookie: id=1,2", "Cookie: id=1 ,2"),
        ("User-Agent: a (b, c)", "User-Agent: a (b,c)"), ("X-A: J\u{F6}rg", "X-A: J\u{E4}rg"),
        // A mark that combines with the comma or the letter before it, in UTF-8.
        ("X-A: a,\u{CC}\u{81}b", "X-A: a\u{CC}\u{81},b"), ("X-A: e\u{CC}\u{81}", "X-A: \u{C3}\u{A9}"),
    ])
    func `a comma is one where it may be a list, and bytes are compared`(one: String, other: String) throws {
        let answer = fields(["Vary: Cookie, User-Agent, X-A"])
        #expect(CacheVariant(answer, of: try head("GET", [one])) != CacheVariant(answer, of: try head("GET", [other])))
        #expect(CacheVariant(answer, of: try head("GET", [one])) == CacheVariant(answer, of: try head("GET", [one])))
    }

    @Test func `what a request invalidates`() {
        #expect(CacheRules.invalidates(.post, .ok))
        #expect(CacheRules.invalidates(HTTPMethod(rawValue: "FROB"), .found))
        #expect(!CacheRules.invalidates(.post, .internalServerError))
        #expect(!CacheRules.invalidates(.get, .ok))
    }
}
