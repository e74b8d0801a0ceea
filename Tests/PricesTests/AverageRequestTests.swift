import Testing
import WebAPI

@testable import Prices

@Suite struct AverageRequestTests {
    private static let dates = "start_date=2025-01-06&end_date=2025-01-07"

    private func read(_ query: String, rangeDaysMax: Int = 3660) throws -> AverageRequest {
        try AverageRequest(try #require(RequestContent(target: "/?\(query)")), rangeDaysMax: rangeDaysMax)
    }

    /// `CODE field field …`: the code of the answer, and every field at fault.
    private func faults(_ query: String, rangeDaysMax: Int = 3660) -> String {
        let refusal = RequestContent(target: "/?\(query)")?.refusal { request throws(APIError) in
            _ = try AverageRequest(request, rangeDaysMax: rangeDaysMax)
        }
        guard let refusal else { return "none" }
        #expect(refusal.details.allSatisfy { $0.message.hasPrefix($0.field) })
        #expect(refusal.details.contains { $0.message == refusal.message })
        return ([refusal.code.rawValue] + refusal.details.map(\.field)).joined(separator: " ")
    }

    @Test func `two dates make a request over all symbols`() throws {
        let request = try read(Self.dates)
        #expect(request.range.first.description == "2025-01-06")
        #expect(request.range.last.description == "2025-01-07")
        #expect(request.symbol == nil)
    }

    @Test(arguments: [
        ("AAPL", "AAPL"), ("BRK.B", "BRK.B"), ("%5EGSPC", "^GSPC"), ("EURUSD%3DX", "EURUSD=X"), ("a=b", "a=b"),
        ("BRK-B", "BRK-B"), ("12345678901234567890123456789012", "12345678901234567890123456789012"),
    ])
    func `a symbol is kept as given`(encoded: String, symbol: String) throws {
        #expect(try read("\(Self.dates)&symbol=\(encoded)").symbol?.text == symbol)
    }

    @Test func `percent-encoding is decoded`() throws {
        #expect(try read("start%5Fdate=2025%2D01-06&end_date=2025-01-07") == read(Self.dates))
    }

    @Test(arguments: [
        ("", "MISSING_PARAMETER start_date end_date"),
        ("start_date=2025-01-06", "MISSING_PARAMETER end_date"),
        ("end_date=2025-01-06", "MISSING_PARAMETER start_date"),
        ("start_date=&end_date=2025-01-06", "MISSING_PARAMETER start_date"),
        ("start_date&end_date", "MISSING_PARAMETER start_date end_date"),
        ("Start_Date=2025-01-06&end_date=2025-01-07", "MISSING_PARAMETER start_date Start_Date"),
    ])
    func `what is absent or empty is missing`(query: String, expected: String) {
        #expect(faults(query) == expected)
    }

    @Test(arguments: [
        ("start_date=2025-1-6&end_date=2025-01-07", "INVALID_DATE start_date"),
        ("start_date=%202025-01-06&end_date=2025-01-07", "INVALID_DATE start_date"),
        ("start_date=+2025-01-06&end_date=2025-01-07", "INVALID_DATE start_date"),
        ("start_date=2025-01-06&end_date=2025-02-30", "INVALID_DATE end_date"),
        ("start_date=2025-01-06T00:00:00&end_date=x", "INVALID_DATE start_date end_date"),
        ("start_date=2025-01-06%00&end_date=2025-01-07", "INVALID_DATE start_date"),
    ])
    func `what names no day is not a date`(query: String, expected: String) {
        #expect(faults(query) == expected)
    }

    @Test(arguments: [
        ("start_date=2025-01-07&end_date=2025-01-06", 3660, "INVALID_DATE_RANGE start_date end_date"),
        ("start_date=2025-01-01&end_date=2025-01-31", 30, "INVALID_DATE_RANGE start_date end_date"),
        ("start_date=2025-01-01&end_date=2025-01-30", 30, "none"),
        ("start_date=2025-01-01&end_date=2025-01-01", 1, "none"),
        ("start_date=2010-01-01&end_date=2020-01-08", 3660, "none"),
        ("start_date=2010-01-01&end_date=2020-01-09", 3660, "INVALID_DATE_RANGE start_date end_date"),
    ])
    func `a range is in order and not too long`(query: String, rangeDaysMax: Int, expected: String) {
        #expect(faults(query, rangeDaysMax: rangeDaysMax) == expected)
    }

    @Test(arguments: [
        ("\(dates)&start_date=2025-01-06", "INVALID_PARAMETER start_date"),
        ("start_date=x&start_date=y&end_date=2025-01-07", "INVALID_PARAMETER start_date"),
        ("\(dates)&symbol=A&symbol=A", "INVALID_PARAMETER symbol"),
        ("\(dates)&symbol=", "INVALID_PARAMETER symbol"),
        ("\(dates)&symbol=A%20B", "INVALID_PARAMETER symbol"),
        ("\(dates)&symbol=%C3%84", "INVALID_PARAMETER symbol"),
        ("\(dates)&symbol=A%0A", "INVALID_PARAMETER symbol"),
        ("\(dates)&symbol=123456789012345678901234567890123", "INVALID_PARAMETER symbol"),
        ("\(dates)&symbol=%4", "INVALID_PARAMETER symbol"),
        ("start_date=%zz&end_date=2025-01-07", "INVALID_PARAMETER start_date"),
        ("\(dates)&symbol=%FF", "INVALID_PARAMETER symbol"),
        ("\(dates)&page=1", "UNKNOWN_PARAMETER page"),
        ("\(dates)&=1", "UNKNOWN_PARAMETER "),
        ("\(dates)&page=1&page=2&size=3", "UNKNOWN_PARAMETER page size"),
    ])
    func `other parameters are refused by kind`(query: String, expected: String) {
        #expect(faults(query) == expected)
    }

    @Test(arguments: [
        ("start_date=x&page=1&symbol=-*-", "MISSING_PARAMETER start_date end_date symbol page"),
        ("start_date=x&end_date=2025-01-06&page=1&symbol=", "INVALID_DATE start_date symbol page"),
        (
            "start_date=2025-01-07&end_date=2025-01-06&page=1&symbol=",
            "INVALID_DATE_RANGE start_date end_date symbol page"
        ),
        ("\(dates)&page=1&symbol=", "INVALID_PARAMETER symbol page"),
        ("symbol=%zz", "MISSING_PARAMETER start_date end_date symbol"),
        ("page=%&start_date=%FF&end_date=2025-02-30", "INVALID_DATE start_date end_date page"),
    ])
    func `of several faults every field is named, and the gravest names the answer`(query: String, expected: String) {
        #expect(faults(query) == expected)
    }

    @Test func `a long unknown name is not repeated in full`() throws {
        let name = String(repeating: "%C3%A9", count: 1000)
        let error = try #require(throws: APIError.self) { try read("\(Self.dates)&\(name)=1") }
        #expect(error.details.map(\.field.count) == [64])
    }
}
