import Supervision
import Testing

@testable import tickloop

@Suite struct PortBookTests {
    @Test func `a process has the port of last time, unless somebody has taken it`() throws {
        var book = PortBook(parsing: "api 20001\nredis 20002\nnonsense\nworker-1 x\n", except: [8080])
        let chosen = try book.port(of: "api", isFree: { _ in true }, choose: { _ in 20_009 })
        #expect(chosen == 20_001)
        #expect(try book.port(of: "redis", isFree: { $0 != 20_002 }, choose: { _ in 20_009 }) == 20_009)
        #expect(book.text == "api 20001\nredis 20009\n")
        #expect(PortBook(parsing: book.text, except: []).ports == book.ports)
    }

    @Test func `a new one gets none that another may want back, and none that was given`() throws {
        var book = PortBook(parsing: "api 20001\n", except: [8080])
        var excepted: Set<UInt16> = []
        let choose: (Set<UInt16>) throws(SupervisionError) -> UInt16 = { taken in
            excepted = taken
            return 20_002
        }
        #expect(try book.port(of: "worker-1", isFree: { _ in true }, choose: choose) == 20_002)
        #expect(excepted == [8080, 20_001])
    }

    @Test func `the port that the gateway was told is nobody else's`() throws {
        var book = PortBook(parsing: "api 8080\n", except: [8080])
        #expect(try book.port(of: "api", isFree: { _ in true }, choose: { _ in 20_002 }) == 20_002)
    }
}
