import HTTPClient
import Reactor
import Testing

@Suite struct UpstreamAddressTests {
    @Test(arguments: [
        ("http://localhost", "localhost", 80, ""), ("http://localhost:8090/", "localhost:8090", 8090, ""),
        ("https://query1.finance.yahoo.com", "query1.finance.yahoo.com", 443, ""),
        ("https://host:8443/a/b/", "host:8443", 8443, "/a/b"), ("http://[::1]:81", "[::1]:81", 81, ""),
        ("https://[::1]", "[::1]", 443, ""),
    ])
    func `a base URL is taken apart`(text: String, authority: String, port: UInt16, path: String) throws {
        let url = try #require(HTTPBaseURL(parsing: text))
        #expect(url.authority == authority)
        #expect(url.path == path)
        #expect(url.isSecure == text.hasPrefix("https"))
        guard case .tcp(_, port) = url.endpoint else {
            Issue.record("\(url.endpoint)")
            return
        }
        #expect(HTTPBaseURL(parsing: url.description) == url)
    }

    @Test(arguments: [
        "", "localhost", "ftp://host", "http://", "http://user@host", "http://host?x=1", "http://host/#a",
        "http://host:0",
        "http://host:99999", "http://ho st", "HTTP://host", "simulator2",
    ])
    func `what is none is refused`(text: String) {
        #expect(HTTPBaseURL(parsing: text) == nil)
        #expect(UpstreamAddress(parsing: text) == nil)
    }

    @Test func `the word stands for the simulator, and a URL for itself`() throws {
        let simulator = try #require(HTTPBaseURL(parsing: "http://sim:1"))
        #expect(UpstreamAddress(parsing: "simulator")?.resolved(simulator: simulator) == simulator)
        #expect(UpstreamAddress(parsing: "http://other")?.resolved(simulator: simulator).authority == "other")
        #expect(UpstreamAddress(parsing: "simulator")?.description == "simulator")
    }
}
