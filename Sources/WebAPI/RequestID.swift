internal import Basics

/// What names a request on every hop: `X-Request-Id`.
///
/// Ours are 32 hexadecimal digits and held as the 128 bits that they stand for, so that making, passing on and writing
/// one allocates nothing.
public struct RequestID: Hashable, Sendable, CustomStringConvertible {
    private enum Form: Hashable {
        case bits(high: UInt64, low: UInt64)
        case text(String)
    }

    private let form: Form

    init(high: UInt64, low: UInt64) { self.init(form: .bits(high: high, low: low)) }

    private init(form: Form) { self.form = form }

    /// Takes an id that somebody else made: 1–128 visible ASCII characters; nil for anything else.
    public init?(_ text: ArraySlice<UInt8>) {
        let bytes = text.span
        if bytes.count == 32, let high = Hexadecimal.lowerCaseValue(bytes, 0..<16),
            let low = Hexadecimal.lowerCaseValue(bytes, 16..<32)
        {
            self.init(high: high, low: low)
        } else {
            guard (1...128).contains(text.count), text.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
            self.init(form: .text(String(decoding: text, as: UTF8.self)))
        }
    }

    /// Appends the id as it stands in the header.
    public func append(to bytes: inout [UInt8]) {
        switch form {
        case .bits(let high, let low):
            bytes.append(addingCapacity: 32) { text in
                Hexadecimal.append(high, to: &text)
                Hexadecimal.append(low, to: &text)
            }
        case .text(let text):
            bytes.append(contentsOf: text.utf8)
        }
    }

    /// The id as it stands in the header.
    public var description: String {
        if case .text(let text) = form { return text }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
