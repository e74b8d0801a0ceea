internal import Glibc

extension QuotePrice {
    /// The price without the noise of a binary number of 32 bits that was written with the digits of one of 64, as
    /// `80.0999984741211` and `80.0999984741210938` for 80.1; the same price if it cannot be shown to be that.
    ///
    /// It is that if it has more digits than 32 bits can hold, and these are exactly the first 15 of a number of 32
    /// bits, or exactly such a number. For a price that is not, to be that by accident, the odds are below one in a
    /// million. Fewer digits are taken for what they say: 110.015625 is a price in sixty-fourths.
    var withoutFloatNoise: QuotePrice {
        guard let value = Double(text), let digits = significantDigits, digits >= 13 else { return self }
        let nearest = Float(value)
        guard nearest.isNormal, let shortest = QuotePrice(nearest.description) else { return self }
        let isExact = Double(nearest) == value
        let isRounded = Self(rounded15: nearest) == self
        return digits >= 15 && (isExact || isRounded) || isRounded && !isExact ? shortest : self
    }

    private var significantDigits: Int? {
        text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
            .count { $0 != UInt8(ascii: ".") }
    }

    /// The 15 digits that a number of 32 bits begins with, rounded as C does.
    private init?(rounded15 value: Float) {
        var buffer = [CChar](repeating: 0, count: 64)
        let length = unsafe withVaList([Double(value)]) { arguments in
            unsafe vsnprintf(&buffer, buffer.count, "%.14e", arguments)
        }
        guard length > 0, length < buffer.count else { return nil }
        self.init(String(decoding: buffer.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}
