import Testing

@testable import Proxy

@Suite struct ScanResistantStoreTests {
    private static let weight = 1024

    private func store(of entries: Int) -> ScanResistantStore<String, Int> {
        ScanResistantStore(byteLimit: entries * (Self.weight + 300))
    }

    @Test func `what is asked for again survives a walk through everything`() {
        var store = store(of: 100)
        for number in 0..<50 { store.insert(number, bytes: Self.weight, for: "hot \(number)") }
        for _ in 1...2 { for number in 0..<50 { _ = store.value("hot \(number)") } }
        for number in 0..<10_000 {
            store.insert(number, bytes: Self.weight, for: "scan \(number)")
            if number % 100 == 0 { for hot in 0..<50 { _ = store.value("hot \(hot)") } }
        }
        let kept = (0..<50).map { store.value("hot \($0)") }
        #expect(kept == Array(0..<50))
        #expect(store.evictions > 9000)
    }

    @Test func `it never holds more than it may`() {
        var store = store(of: 20)
        var generator = SystemRandomNumberGenerator()
        for number in 0..<20_000 {
            let key = "\(Int.random(in: 0..<60, using: &generator))"
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: store.remove(key)
            case 1: store.insert(number, bytes: Int.random(in: 0..<3 * Self.weight, using: &generator), for: key)
            default: _ = store.value(key)
            }
            #expect(store.byteCount <= store.byteLimit)
            #expect(store.byteCount >= 0)
        }
        for key in store.keys { store.remove(key) }
        #expect(store.byteCount == 0)
        #expect(store.count == 0)
    }

    @Test func `what comes back soon after it left is kept longer than what is new`() {
        var store = store(of: 100)
        store.insert(1, bytes: Self.weight, for: "back")
        for number in 0..<200 { store.insert(number, bytes: Self.weight, for: "a \(number)") }
        let gone = store.value("back")
        #expect(gone == nil)
        store.insert(2, bytes: Self.weight, for: "back")
        for number in 0..<80 { store.insert(number, bytes: Self.weight, for: "b \(number)") }
        let kept = store.value("back")
        #expect(kept == 2)
    }

    @Test func `what is put in anew again and again, or removed, leaves no traces while there is room`() {
        var store = store(of: 1000)
        var placesMax = 0
        for number in 0..<20_000 {
            let key = "\(number % 10)"
            store.insert(number, bytes: Self.weight, for: key)
            placesMax = max(placesMax, store.placeCount)
            if number % 3 == 0 { store.remove(key) }
        }
        #expect(placesMax <= 100)
        for number in 0..<10 { store.insert(number, bytes: Self.weight, for: "\(number)") }
        // And those that are left are those of the entries: what is oldest goes first.
        for number in 10..<1500 { store.insert(number, bytes: Self.weight, for: "\(number)") }
        let oldest = store.value("0")
        #expect(oldest == nil)
        #expect(store.byteCount <= store.byteLimit)
        #expect(store.count > 900)
    }

    @Test func `what is larger than all of it is not kept`() {
        var store = store(of: 2)
        store.insert(1, bytes: Self.weight, for: "a")
        store.insert(2, bytes: 10 * Self.weight, for: "a")
        let kept = store.value("a")
        #expect(kept == nil)
        #expect(store.byteCount == 0)
    }
}
