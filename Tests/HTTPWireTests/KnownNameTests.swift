import Testing

@testable import HTTPWire

/// Names are known by their length, their first letter and eight bytes at a time.
@Suite struct KnownNameTests {
    private static let names: [(String, KnownName)] = [
        ("te", .te), ("host", .host), ("date", .date), ("expect", .expect), ("trailer", .trailer),
        ("upgrade", .upgrade), ("connection", .connection), ("keep-alive", .keepAlive),
        ("content-length", .contentLength), ("proxy-connection", .proxyConnection),
        ("transfer-encoding", .transferEncoding),
    ]

    @Test(arguments: names)
    func `a name is known in every case, and with any other byte in it not`(text: String, name: KnownName) {
        let bytes = Array(text.utf8)
        for place in bytes.indices {
            for byte in UInt8.min...UInt8.max where ASCII.isToken(byte) {
                var changed = bytes
                changed[place] = byte
                let isSame = ASCII.lowercased(byte) == bytes[place]
                #expect((known(changed) == name) == isSame)
                #expect(isSame || known(changed) == .other)
            }
        }
        #expect(known(Array(text.uppercased().utf8)) == name)
        #expect(known(bytes + [UInt8(ascii: "s")]) == .other)
        #expect(known(Array(bytes.dropLast())) == .other)
    }

    private func known(_ name: [UInt8]) -> KnownName {
        // Within other bytes, which are not looked at.
        let bytes = Array("xx".utf8) + name + Array(": y\r\n".utf8)
        return KnownName(bytes.span, 2..<2 + name.count)
    }
}
