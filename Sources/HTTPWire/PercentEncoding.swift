internal import Basics

/// Percent-encoding (RFC 3986 §2.1), decoded strictly.
public enum PercentEncoding {
    /// Why text could not be decoded.
    public enum Fault: Error, Hashable, Sendable {
        /// A `%` that two hexadecimal digits do not follow.
        case malformedEscape
        /// The decoded bytes are not UTF-8.
        case invalidUTF8
    }

    /// Decodes `bytes`.
    ///
    /// - Parameter plusIsSpace: Whether `+` stands for a space, as in the query of a form
    ///   (URL Standard, `application/x-www-form-urlencoded`); false for paths.
    public static func decode(_ bytes: Span<UInt8>, plusIsSpace: Bool) throws(Fault) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if byte == ASCII.percent {
                guard index + 2 < bytes.count, let high = Hexadecimal.value(bytes[index + 1]),
                    let low = Hexadecimal.value(bytes[index + 2])
                else { throw .malformedEscape }
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(byte == ASCII.plus && plusIsSpace ? ASCII.space : byte)
                index += 1
            }
        }
        guard let text = String(validating: decoded, as: UTF8.self) else { throw .invalidUTF8 }
        return text
    }

    /// Decodes a part of a path; `+` stays what it is.
    public static func decodePath(_ path: String) throws(Fault) -> String {
        try decode(path.utf8.span, plusIsSpace: false)
    }

    /// `text` with every byte outside of the unreserved characters (RFC 3986 §2.3) escaped: right inside of any part of
    /// a URL.
    public static func encode(_ text: String) -> String {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(text.utf8.count)
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            if ASCII.isUnreserved(byte) {
                encoded.append(byte)
            } else {
                encoded.append(ASCII.percent)
                encoded.append(digits[Int(byte >> 4)])
                encoded.append(digits[Int(byte & 15)])
            }
        }
        return encoded.span.text
    }
}
