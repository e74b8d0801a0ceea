import HTTPWire
import Testing
import WebAPI

@testable import Admin

@Suite struct AdminDoorTests {
    struct Case: Sendable {
        let lines: [String]
        let isLetIn: Bool

        init(_ lines: String..., isLetIn: Bool) {
            self.lines = lines
            self.isLetIn = isLetIn
        }
    }

    private static let door = AdminDoor(hosts: ["Console.Example"])

    private func head(_ method: String, _ lines: [String]) throws -> RequestHead {
        var parser = RequestParser()
        let bytes = Array((["\(method) /admin/limits HTTP/1.1"] + lines + ["", ""]).joined(separator: "\r\n").utf8)
        guard case .deliverHead(let head) = try parser.step(bytes.span).action else { throw Incomplete() }
        return head
    }

    private struct Incomplete: Error {}

    @Test(arguments: [
        Case("Host: 127.0.0.1:8001", isLetIn: true),
        Case("Host: [::1]:8001", isLetIn: true),
        Case("Host: 127.0.0.1", isLetIn: true),
        Case("Host: localhost:8001", isLetIn: true),
        Case("Host: console.example", isLetIn: true),
        // A name of somebody else's that leads here.
        Case("Host: evil.example:8001", isLetIn: false),
        Case("Host: localhost.evil.example", isLetIn: false),
        Case("Host: 127.0.0.1.evil.example:8001", isLetIn: false),
        Case("Host: 127.0.0.1:8001", "Origin: http://127.0.0.1:8001", isLetIn: true),
        Case("Host: 127.0.0.1:8001", "Origin: http://127.0.0.1:8080", isLetIn: false),
        Case("Host: 127.0.0.1:8001", "Origin: https://evil.example", isLetIn: false),
        Case("Host: 127.0.0.1:8001", "Origin: null", isLetIn: false),
    ]) func `who looks must be at home`(_ one: Case) throws {
        #expect((Self.door.refusal(try head("GET", one.lines)) == nil) == one.isLetIn)
        let change = try head("POST", one.lines + ["X-Operator: ana", "Content-Length: 0"])
        #expect((Self.door.refusal(change) == nil) == one.isLetIn)
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "PATCH"]) func `who changes something must say who he is`(
        method: String
    ) throws {
        let host = "Host: 127.0.0.1:8001"
        for lines in [
            [host], [host, "X-Operator: "], [host, "X-Operator: a b"], [host, "X-Operator: ana", "X-Operator: bo"],
        ] {
            let refusal = Self.door.refusal(try head(method, lines + ["Content-Length: 0"]))
            #expect(refusal?.code == .forbidden)
            #expect(refusal?.details.map(\.field) == ["X-Operator"])
        }
        #expect(Self.door.refusal(try head(method, [host, "X-Operator: ana", "Content-Length: 0"])) == nil)
    }
}
