/// Names that nobody else has.
enum UUIDText {
    /// A random UUID (RFC 9562, version 4).
    static func random() -> String {
        func hexadecimal(_ digits: Int) -> String {
            (0..<digits).map { _ in String(Int.random(in: 0..<16), radix: 16) }.joined()
        }
        return "\(hexadecimal(8))-\(hexadecimal(4))-4\(hexadecimal(3))-8\(hexadecimal(3))-\(hexadecimal(12))"
    }
}
