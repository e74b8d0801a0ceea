import Testing

@testable import Proxy

@Suite struct PathReadingsTests {
    private let finder = RouteFinder(["/", "/shop/", "/shop/new/"])

    private func find(_ path: String) -> RouteFinder.Finding { finder.find(path) { $0 == "/orders" } }

    @Test func `the longest prefix wins`() {
        #expect(find("/x") == .route(0))
        #expect(find("/shop") == .route(1))
        #expect(find("/shop/1") == .route(1))
        #expect(find("/shop/new/1") == .route(2))
        #expect(find("/shopping") == .route(0))
        #expect(RouteFinder(["/shop/"]).find("/x") { _ in false } == .nothing)
    }

    @Test(arguments: [
        "/shop/a%2Fb", "/shop/%2520", "/shop//x", "/shop/a/../b", "/shop/./", "/shop/%41", "/shop/a%20b",
        "/shop/a;b=c/d", "/shop/a;..",
        // Marks that combine with what stands before them, if that is text.
        "/shop/%CC%81x", "/shop/a/%CC%81", "/shop/%E2%80%8D", "/shop/e%CC%81",
    ])
    func `what leads to the same place in every reading passes`(path: String) { #expect(find(path) == .route(1)) }

    @Test func `bytes are compared, not characters`() throws {
        #expect(find("/shop/\u{301}x") == .route(1))
        #expect(find("/shop\u{301}") == .route(0))
        #expect(RouteFinder(["/\u{E9}/"]).route("/e\u{301}/x") == nil)
        var route = ProxyRoute(
            prefix: "/shop/",
            targets: [ProxyRoute.Target(try UpstreamURL(parsing: "http://a"))]
        )
        route.rewrite = "/v2/"
        #expect(route.forwarded("/shop/\u{301}x?y").elementsEqual("/v2/\u{301}x?y"))
        #expect(route.forwarded("/shop?\u{301}y").elementsEqual("/v2/?\u{301}y"))
        #expect(PathReadings.areOne(of: "/a\u{301};") == false)
        #expect(("a/" as CacheTarget).isPrefix(of: "a/\u{301}x"))
    }

    @Test(
        arguments: [
            "/shop/../orders", "/shop/%2e%2e/orders", "/shop/..%2Forders", "/shop/..%5corders", "/shop/../x",
            "//orders", "/%6frders", "/shop/new/../x", "/shop/a%00b", "/x/../shop/1", "/shop/..;/x", "/shop/..;a=b/x",
            "/shop/new;x/y", "/shop/new;x", "/orders;x", "/shop/a/..;/../orders", "/shop/%2e.;/orders",
            // Back to where it was: with something else in the place of the prefix it would not be.
            "/shop/../shop/1", "/shop/%2e%2e/shop/1", "/shop/..%2fshop/1", "/shop/..;/shop/1", "/shop/a/../../shop/1",
            "/../shop/1", "/../x", "/x/../../x", "/..%2fx", "/..;/x", "/..",
        ]
    )
    func `what leads elsewhere in some reading is refused`(path: String) { #expect(find(path) == .ambiguous) }

    @Test func `a prefix that ends within a segment is not left either`() {
        let finder = RouteFinder(["/v1"])
        func find(_ path: String) -> RouteFinder.Finding { finder.find(path) { _ in false } }
        #expect(find("/v1beta/a/../b") == .route(0))
        #expect(find("/v1/./a/..") == .route(0))
        for path in ["/v1beta/../v1/x", "/v1/../v1/x", "/v1/a/../../v1"] {
            #expect(find(path) == .ambiguous, "\(path)")
        }
    }
}
