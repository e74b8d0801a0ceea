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
    ])
    func `what leads to the same place in every reading passes`(path: String) { #expect(find(path) == .route(1)) }

    @Test(
        arguments: [
            "/shop/../orders", "/shop/%2e%2e/orders", "/shop/..%2Forders", "/shop/..%5corders", "/shop/../x",
            "//orders", "/%6frders", "/shop/new/../x", "/shop/a%00b", "/x/../shop/1", "/shop/..;/x", "/shop/..;a=b/x",
            "/shop/new;x/y", "/shop/new;x", "/orders;x", "/shop/a/..;/../orders", "/shop/%2e.;/orders",
        ]
    )
    func `what leads elsewhere in some reading is refused`(path: String) { #expect(find(path) == .ambiguous) }
}
