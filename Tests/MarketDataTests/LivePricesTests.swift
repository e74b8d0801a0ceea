import HTTPServer
import Reactor
import TestSupport
import Testing
import WebAPI

@testable import MarketData

@Suite struct LivePricesTests {
    init() { Reactor.runInBackground() }

    /// Never has anything to tell.
    private final class SilentSource: PriceSource {
        let silence = APIError.unavailable
        func start(_ broadcast: Broadcast) {}
        func asked(by context: RequestContext) {}
        func stop() {}
        func close() {}
    }

    @Test @ReactorActor func `while there is nothing to tell, nothing is kept of those who asked`() async throws {
        let live = LivePrices(from: SilentSource())
        defer { live.close() }
        let web = WebService(routes: [live.route], requestTimeout: .milliseconds(50), takesDeadlineFromCaller: false)
        let server = HTTPServer(handler: web)
        defer { server.close() }
        let client = try await TestSocket(to: try await server.listen(on: .tcp(host: "127.0.0.1", port: 0)))
        for _ in 0..<5 {
            client.send("GET /prices/stream?symbols=AAPL HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await client.takeResponse().status == 503)
        }
        #expect(live.waitingCount == 0)
    }
}
