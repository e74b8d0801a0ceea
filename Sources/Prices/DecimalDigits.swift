extension Span<UInt8> {
    /// Whether there is an ASCII digit at `index`; false past the end.
    func isDigit(at index: Int) -> Bool {
        index < count && self[index] >= UInt8(ascii: "0") && self[index] <= UInt8(ascii: "9")
    }

    /// How many ASCII digits stand in a row from `start`.
    func digitCount(from start: Int) -> Int {
        var end = start
        while isDigit(at: end) { end += 1 }
        return end - start
    }

    /// The number that the ASCII digits in `range`, at most 18, spell; nil if one of them is none or missing.
    func decimal(_ range: Range<Int>) -> Int? {
        assert(range.count <= 18)
        var value = 0
        for index in range {
            guard isDigit(at: index) else { return nil }
            value = value * 10 + Int(self[index] - UInt8(ascii: "0"))
        }
        return value
    }
}
