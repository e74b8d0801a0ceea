import Testing

@testable import latency

@Suite struct TargetTests {
    @Test(arguments: [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "/prices/average", true),
        ("new=http://127.0.0.1:8080/", "new", "/prices/average", true),
        ("http://[::1]:80/health", "http://[::1]:80/health", "/health", false),
        ("a=http://h:1/prices/average?symbol=A", "a", "/prices/average?symbol=A", false),
    ])
    func `a URL says who is asked for what`(text: String, name: String, path: String, wantsRanges: Bool) throws {
        let target = try #require(Target(text))
        #expect(target.name == name)
        #expect(target.path == path)
        #expect(target.wantsRanges == wantsRanges)
    }

    @Test(arguments: ["", "127.0.0.1:80", "https://h:1", "=http://h:1", "http://h", "http://:1/", "http://h:1/a b"])
    func `anything else is refused`(text: String) {
        #expect(Target(text) == nil)
    }

    @Test func `days go over the ends of months and years, with 29 February where there is one`() {
        func day(_ text: String) -> CalendarDay { CalendarDay(argument: text)! }
        #expect(CalendarDay.all(day("2024-02-28"), through: day("2024-03-01")).map(\.description).count == 3)
        #expect(CalendarDay.all(day("2024-01-01"), through: day("2025-12-31")).count == 366 + 365)
        #expect(CalendarDay.all(day("2025-01-02"), through: day("2025-01-01")).isEmpty)
        #expect(CalendarDay(argument: "2025-02-29") == nil)
        #expect(CalendarDay(argument: "2025-2-09") == nil)
    }

    @Test func `the same seed asks the same, within the bounds`() {
        let dates = (1...9).map { "2025-01-0\($0)" }
        func queries(seed: UInt64) -> [String] {
            var ranges = RandomRanges(dates: dates, days: 3...3, symbols: ["A"], seed: seed)
            return (0..<50).map { _ in
                var bytes: [UInt8] = []
                ranges.appendNext(to: &bytes)
                return String(decoding: bytes, as: UTF8.self)
            }
        }
        #expect(queries(seed: 7) == queries(seed: 7))
        #expect(queries(seed: 7) != queries(seed: 8))
        let possible = Set((0...6).map { "?start_date=\(dates[$0])&end_date=\(dates[$0 + 2])&symbol=A" })
        #expect(Set(queries(seed: 7)) == possible)
    }
}
