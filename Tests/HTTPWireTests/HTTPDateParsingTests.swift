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
        ]
    )
    func `what is no date is none`(text: String) { #expect(HTTPDate.parse(text) == nil) }

    @Test func `a year of two digits is at most 50 years ahead`() {
        #expect(HTTPDate.parse("Friday, 06-Nov-76 08:49:37 GMT") == HTTPDate.parse("Fri, 06 Nov 2076 08:49:37 GMT"))
        #expect(HTTPDate.parse("Sunday, 06-Nov-77 08:49:37 GMT") == HTTPDate.parse("Sun, 06 Nov 1977 08:49:37 GMT"))
    }
}
