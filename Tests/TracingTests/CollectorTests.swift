import HTTPClient
import Reactor
import Testing

@testable import Tracing

@Suite struct CollectorTests {
    @Test(
        arguments: [
            ("http://localhost", "localhost", 4318, "localhost:4318", "/v1/traces"),
            ("http://localhost/", "localhost", 4318, "localhost:4318", "/v1/traces"),
            ("http://10.0.0.1:80/otlp/", "10.0.0.1", 80, "10.0.0.1:80", "/otlp/v1/traces"),
            ("http://[::1]", "::1", 4318, "[::1]:4318", "/v1/traces"),
            ("http://[::1]:9/a/b", "::1", 9, "[::1]:9", "/a/b/v1/traces"),
        ] as [(String, String, UInt16, String, String)]
    )
    func `a collector's base URL is read`(url: String, host: String, port: UInt16, authority: String, target: String) {
        let address = CollectorAddress(parsing: url)
        #expect(address?.endpoint == .tcp(host: host, port: port))
        #expect(address?.authority == authority)
        #expect(address?.target == target)
    }

    @Test(arguments: [
        "", "localhost:4318", "ftp://localhost:4318", "http://", "http:///v1", "http://:4318", "http://host:0",
        "http://host:99999", "http://user@host", "http://host?x=1", "http://host/a?x=1", "http://host/a#b",
        "http://ho st", "http://::1", "http://host/ü", "http://host/\r\nX: y",
    ])
    func `anything else is not one`(url: String) {
        #expect(CollectorAddress(parsing: url) == nil)
    }

    @Test(
        arguments: [
            (200, nil, "", .accepted(rejected: 0, reason: "")), (200, nil, "{}", .accepted(rejected: 0, reason: "")),
            (202, nil, "not json", .accepted(rejected: 0, reason: "")),
            (
                200, nil, #"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#,
                .accepted(rejected: 3, reason: "too old")
            ),
            (200, nil, #"{"partialSuccess":{"rejectedSpans":3}}"#, .accepted(rejected: 3, reason: "")),
            (200, nil, #"{"partialSuccess":{"rejectedSpans":-3}}"#, .accepted(rejected: 0, reason: "")),
            (
                200, nil, #"{"partialSuccess":{"errorMessage":"be careful"}}"#,
                .accepted(rejected: 0, reason: "be careful")
            ),
            (429, "7", "", .retry(reason: "status 429", after: .seconds(7))),
            (503, "Fri, 31 Dec 1999 23:59:59 GMT", "", .retry(reason: "status 503", after: nil)),
            (503, "99999999999", "", .retry(reason: "status 503", after: .seconds(3600))),
            (502, nil, "", .retry(reason: "status 502", after: nil)),
            (504, nil, "", .retry(reason: "status 504", after: nil)), (400, nil, "", .refused(reason: "status 400")),
            (404, nil, "", .refused(reason: "status 404")), (413, nil, "", .refused(reason: "status 413")),
            (500, nil, "", .refused(reason: "status 500")), (301, nil, "", .refused(reason: "status 301")),
        ] as [(Int, String?, String, ExportVerdict)]
    )
    func `an answer says what becomes of the spans`(
        status: Int,
        retryAfter: String?,
        body: String,
        verdict: ExportVerdict
    ) {
        #expect(ExportVerdict(status: status, retryAfter: retryAfter, body: Array(body.utf8)) == verdict)
    }

    @Test func `without an answer they are sent again, unless it was nonsense`() {
        let verdict = ExportVerdict(HTTPClientError.timedOut(.responseHead))
        #expect(verdict == .retry(reason: "timed out waiting for the response", after: nil))
        #expect(ExportVerdict(HTTPClientError.responseTooLarge) == .refused(reason: "response too large"))
    }
}
