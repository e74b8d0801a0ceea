import Basics
import JSONWire

extension Duration {
    /// Seconds with three decimals, as in `0.250 s`.
    var inSeconds: String {
        let fraction = String(wholeMilliseconds % 1000 + 1000).dropFirst()
        return "\(wholeMilliseconds / 1000).\(fraction) s"
    }
}

extension JSONWriter {
    /// One object with the members that `body` writes.
    static func object(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.object(body)
        return writer.take()
    }

    /// The same as text.
    static func text(_ body: (inout JSONWriter) -> Void) -> String { String(decoding: object(body), as: UTF8.self) }
}
