import Testing

@testable import HTTPWire

/// Names are compared eight bytes at a time, and the last eight overlap: each place of a name against each byte.
@Suite struct IgnoringCaseTests {
    @Test(arguments: [1, 7, 8, 9, 17])
    func `of two bytes only the two forms of a letter are the same`(count: Int) {
        var differences = 0
        for place in Set([0, count / 2, count - 1]) {
            for first in UInt8.min...UInt8.max {
                for second in UInt8.min...UInt8.max {
                    var (one, other) = ([UInt8](repeating: 0x2D, count: count), [UInt8](repeating: 0x2D, count: count))
                    one[place] = first
                    other[place] = second
                    let isSame = one.span.equalsIgnoringCase(0..<count, other.span)
                    if isSame != (lowercased(first) == lowercased(second)) { differences += 1 }
                }
            }
        }
        #expect(differences == 0)
    }

    private func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte + 32 : byte
    }
}
