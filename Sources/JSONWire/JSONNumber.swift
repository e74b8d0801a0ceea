/// The grammar of a JSON number (RFC 8259 §6), which is written down once, here.
///
///     number = [ "-" ] ( "0" / digit1-9 *DIGIT ) [ "." 1*DIGIT ] [ ( "e" / "E" ) [ "-" / "+" ] 1*DIGIT ]
struct JSONNumber {
    private enum State {
        case start, minus, zero, integer, point, fraction, exponentMark, exponentSign, exponent
    }

    private var state = State.start

    /// True when the bytes accepted so far are a whole number of their own.
    var isComplete: Bool {
        switch state {
        case .zero, .integer, .fraction, .exponent: true
        case .start, .minus, .point, .exponentMark, .exponentSign: false
        }
    }

    /// Takes the next byte.
    ///
    /// - Returns: `false`, and nothing has changed, when no number continues with this byte.
    mutating func accept(_ byte: UInt8) -> Bool {
        guard let next = Self.next(after: state, byte) else { return false }
        state = next
        return true
    }

    private static func next(after state: State, _ byte: UInt8) -> State? {
        switch (byte, state) {
        case (UInt8(ascii: "0"), .start), (UInt8(ascii: "0"), .minus): .zero
        case (UInt8(ascii: "0")...UInt8(ascii: "9"), _):
            switch state {
            case .start, .minus, .integer: .integer
            case .point, .fraction: .fraction
            case .exponentMark, .exponentSign, .exponent: .exponent
            case .zero: nil
            }
        case (UInt8(ascii: "-"), .start): .minus
        case (UInt8(ascii: "."), .zero), (UInt8(ascii: "."), .integer): .point
        case (UInt8(ascii: "-"), .exponentMark), (UInt8(ascii: "+"), .exponentMark): .exponentSign
        case (UInt8(ascii: "e"), _), (UInt8(ascii: "E"), _):
            switch state {
            case .zero, .integer, .fraction: .exponentMark
            case .start, .minus, .point, .exponentMark, .exponentSign, .exponent: nil
            }
        default: nil
        }
    }

    /// True when `text` is one JSON number and nothing else.
    static func isValid(_ text: Span<UInt8>) -> Bool {
        var number = JSONNumber()
        for index in text.indices {
            guard number.accept(text[index]) else { return false }
        }
        return number.isComplete
    }
}
