extension [UInt8] {
    /// Appends a number in decimal digits.
    public mutating func append(decimal number: UInt64) {
        append(addingCapacity: 20) { $0.append(decimal: number) }
    }
}

extension OutputSpan<UInt8> {
    fileprivate mutating func append(decimal number: UInt64) {
        // In threes: most numbers are short, and each step is a call.
        if number >= 1000 { append(decimal: number / 1000) }
        let three = UInt32(truncatingIfNeeded: number % 1000)
        if number >= 100 { append(digit: three / 100) }
        if number >= 10 { append(digit: three / 10 % 10) }
        append(digit: three % 10)
    }

    @inline(__always)
    private mutating func append(digit: UInt32) { append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: digit)) }
}

extension Span<UInt8> {
    /// Reads a decimal number and the byte behind it.
    ///
    /// - Parameter position: Where the number begins; afterwards behind the end mark.
    /// - Returns: Nil for anything but 1 to 18 digits and then `end`.
    public func decimal(at position: inout Int, upTo end: UInt8) -> Int? {
        let first = position
        var number = 0
        while position < count {
            let byte = self[position]
            position += 1
            if byte == end { return position - 1 > first ? number : nil }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), position - first <= 18 else { return nil }
            number = number * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return nil
    }
}
