internal import Basics
internal import HTTPServer
internal import HTTPWire
public import Reactor

/// What a service does with its answers for browsers and their like, where that is switched on.
@ReactorActor
public final class AnswerPolicy {
    let crossOrigin: CrossOriginPolicy?
    let compressor: AnswerCompressor?
    let tellsTiming: Bool

    /// A policy; nil if there is nothing to do.
    ///
    /// - Parameters:
    ///   - crossOrigin: Which pages of other origins may read answers; nil for none.
    ///   - compresses: Whether answers are compressed for who takes that.
    ///   - tellsTiming: Whether answers tell how long they took.
    public init?(crossOrigin: CrossOriginPolicy?, compresses: Bool, tellsTiming: Bool, routes: [Route]) {
        guard crossOrigin != nil || compresses || tellsTiming else { return nil }
        self.crossOrigin = crossOrigin?.exposing(fieldsOf: routes)
        compressor = compresses ? AnswerCompressor() : nil
        self.tellsTiming = tellsTiming
    }

    /// Appends what answers carry besides.
    ///
    /// - Parameter hop: How long the answer took somebody else, and who that is.
    func appendFields(for context: RequestContext, hop: HopTime?, to head: inout [UInt8]) {
        crossOrigin?.appendFields(for: context.head, to: &head)
        guard tellsTiming else { return }
        let total = Reactor.now - context.start
        HeadWriter.appendField("Server-Timing", to: &head) { value in
            if let hop { Self.append(hop.name, hop.duration, to: &value) }
            if hop != nil { value.append(utf8: ", ") }
            Self.append("total", total, to: &value)
        }
    }

    /// `name;dur=MILLISECONDS`.
    private static func append(_ name: StaticString, _ duration: Duration, to value: inout [UInt8]) {
        value.append(utf8: "\(name);dur=")
        let microseconds = max(0, duration.wholeMicroseconds)
        value.append(decimal: UInt64(microseconds / 1000))
        value.append(UInt8(ascii: "."))
        let rest = microseconds % 1000
        for digit in [rest / 100, rest / 10 % 10, rest % 10] { value.append(UInt8(ascii: "0") + UInt8(digit)) }
    }
}

/// How long somebody else took for a part of an answer.
struct HopTime {
    let name: StaticString
    let duration: Duration
}
