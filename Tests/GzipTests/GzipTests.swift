import Gzip
import Testing

@Suite struct GzipTests {
    @Test(arguments: [0, 1, 1024, 100_000]) func `what is compressed is what comes out`(count: Int) {
        let encoder = GzipEncoder()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
        let text = Array(String(repeating: #"{"date":"2025-01-06","average_price":100.38},"#, count: count / 40).utf8)
        // Twice, because an encoder is used again.
        for input in [bytes, text, text] {
            let encoded = encoder.encode(input)
            #expect(encoded.starts(with: [0x1F, 0x8B]))
            #expect(Gunzip.decode(encoded, atMost: input.count + 1) == input)
        }
        if count > 1000 { #expect(encoder.encode(text).count < text.count / 4) }
    }

    @Test func `what is cut, too long or no gzip at all is not read`() {
        let encoded = GzipEncoder().encode(Array("hello".utf8))
        #expect(Gunzip.decode(Array(encoded.dropLast()), atMost: 100) == nil)
        #expect(Gunzip.decode(encoded + [0], atMost: 100) == nil)
        #expect(Gunzip.decode(encoded, atMost: 4) == nil)
        #expect(Gunzip.decode(Array("hello".utf8), atMost: 100) == nil)
    }
}
