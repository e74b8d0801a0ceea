import HTTPWire
import Testing

@Suite struct HTTPDateParsingTests {
    @Test(
        arguments: [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        ]
    )
    func `the three forms of a date mean the same`(text: String) {
        #expect(HTTPDate.parse(text) == 784_111_777)
        #expect(HTTPDate.format(unixSeconds: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test(
        arguments: [
            "", "0", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 06 Nov 1994  08:49:37 GMT", "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 8:49:37 GMT", "Sun, 06 Nov 1969 08:49:37 GMT", "06 Nov 1994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov +994 08:49:37 GMT", "Sun, 06 Nov 1994 +8:49:37 GMT",
            "Sun Nov  6 08:49:37 9223372036854775807", "Sun Nov 16 08:49:37 9223372036854775807",
            "Fri, 31 Dec 9999 23:59:60 GMT", "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sun Nov  6 08:49:37 94", "Sunday, 06-Nov-+4 08:49:37 GMT",
        ]
    )
    func `what is no date is none`(text: String) { #expect(HTTPDate.parse(text) == nil) }

    @Test(arguments: [(2026, 76, 2076), (2026, 77, 1977), (2027, 77, 2077), (2099, 0, 2000), (2100, 50, 2150)])
    func `a year of two digits is at most 50 years ahead`(current: Int, digits: Int, year: Int) {
        let date = "Sunday, 06-Nov-\(digits / 10)\(digits % 10) 08:49:37 GMT"
        #expect(HTTPDate.parse(date, currentYear: current) == HTTPDate.parse("Sun, 06 Nov \(year) 08:49:37 GMT"))
    }

    @Test func `the current year is that of the clock`() {
        let year = HTTPDate.thisYear
        let digits = "\((year + 50) % 100)"
        let date = "Sunday, 06-Nov-\(digits.count == 1 ? "0" : "")\(digits) 08:49:37 GMT"
        // The century may have begun between the years.
        let meant = (year + 50) / 100 == year / 100 ? year + 50 : year - 50
        #expect(HTTPDate.parse(date) == HTTPDate.parse("Sun, 06 Nov \(meant) 08:49:37 GMT"))
    }
}
