import Testing

@testable import HTTPWire

/// What is asked of eight bytes at a time is answered as if it were asked of each.
@Suite struct BytesTests {
    /// Every byte, at every place of texts that are shorter and longer than eight bytes.
    private static func forEachText(_ body: (_ text: [UInt8], _ byte: UInt8, _ place: Int) -> Void) {
        for length in [1, 7, 8, 9, 15, 16, 21] {
            for place in 0..<length {
                for byte in UInt8.min...UInt8.max {
                    var text = [UInt8](repeating: 0x61, count: length)
                    text[place] = byte
                    body(text, byte, place)
                }
            }
        }
    }

    @Test func `a byte is found wherever it stands`() {
        var faults = 0
        Self.forEachText { text, byte, place in
            guard byte != 0x61 else { return }
            if text.span.firstIndex(of: byte, from: 0) != place { faults += 1 }
            if text.span.firstIndex(of: byte, from: place) != place { faults += 1 }
            if text.span.firstIndex(of: byte, from: place + 1) != nil { faults += 1 }
        }
        #expect(faults == 0)
    }

    @Test func `of several the first is found`() {
        let text = [UInt8]("a\r\nb\r\n\r\nc\n\n\n\n\n\n\n\n")
        var found: [Int] = []
        var start = 0
        while let place = text.span.firstIndex(of: 0x0A, from: start) {
            found.append(place)
            start = place + 1
        }
        #expect(found == text.indices.filter { text[$0] == 0x0A })
    }

    @Test func `a control character is found wherever it stands, and nothing else`() {
        var faults = 0
        Self.forEachText { text, byte, place in
            let isControl = byte < 0x20 || byte == 0x7F
            if text.span.firstControl(from: 0) != (isControl ? place : nil) { faults += 1 }
            if text.span.firstControl(from: place + 1) != nil { faults += 1 }
        }
        #expect(faults == 0)
    }

    @Test func `a field value and a target are refused for any byte that may not stand in them`() {
        var faults = 0
        Self.forEachText { text, byte, _ in
            if text.span.isFieldValue != ((byte >= 0x20 && byte != 0x7F) || byte == 0x09) { faults += 1 }
            let isTarget = (0x21...0x7E).contains(byte) && ![0x22, 0x23, 0x3C, 0x3E].contains(byte)
            if text.span.isTarget != isTarget { faults += 1 }
        }
        #expect(faults == 0)
    }

    @Test func `a token ends before the first byte that may not stand in one`() {
        let others = Set("!#$%&'*+-.^_`|~".utf8)
        var faults = 0
        Self.forEachText { text, byte, place in
            let isToken = (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || others.contains(byte)
            if text.span.tokenEnd != (isToken ? text.count : place) { faults += 1 }
        }
        #expect(faults == 0)
        #expect([UInt8]().span.tokenEnd == 0)
    }
}
