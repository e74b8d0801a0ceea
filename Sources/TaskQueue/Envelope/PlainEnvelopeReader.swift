/// Reads envelopes that are, byte for byte, as ``TaskEnvelope/encoded()`` writes them: members in that order, no white
/// space, and no escape in a text. Whatever else may be a good envelope is left to the JSON parser.
///
/// Every task of a worker comes through here, and to build a tree of JSON values of each was an eighth of its work.
struct PlainEnvelopeReader {
    /// What stands between the values.
    private enum Key {
        static let id = Array(#"{"id":""#.utf8)
        static let name = Array(#","name":""#.utf8)
        static let arguments = Array(#","arguments":"#.utf8)
        static let attempt = Array(#","attempt":"#.utf8)
        static let createdAt = Array(#","created_at":"#.utf8)
        static let timeLimit = Array(#","time_limit":"#.utf8)
        static let age = Array(#","age":"#.utf8)
        static let reply = Array(#","reply":""#.utf8)
        static let requestID = Array(#","request_id":""#.utf8)
        static let traceparent = Array(#","traceparent":""#.utf8)
        static let tracestate = Array(#","tracestate":""#.utf8)
        static let tracked = Array(#","tracked":true"#.utf8)
        static let end = Array("}".utf8)
    }

    /// Bytes consumed. The text is an argument of each method, because a `Span` cannot be stored.
    private var position = 0

    /// The envelope; nil when the text is not of this form.
    static func envelope(in text: Span<UInt8>) -> TaskEnvelope? {
        var reader = PlainEnvelopeReader()
        return reader.envelope(in: text)
    }

    private mutating func envelope(in text: Span<UInt8>) -> TaskEnvelope? {
        guard text.count <= TaskEnvelope.limitBytes,
            skip(Key.id, in: text), let idRange = string(in: text), let id = TaskID(text.extracting(idRange)),
            skip(Key.name, in: text), let name = self.text(in: text),
            skip(Key.arguments, in: text), let argumentsRange = value(in: text),
            let arguments = String(validating: text.extracting(argumentsRange)),
            skip(Key.attempt, in: text), let attempt = number(in: text), attempt >= 1,
            skip(Key.createdAt, in: text), let createdAt = number(in: text)
        else { return nil }
        var envelope = TaskEnvelope(
            id: id,
            name: name,
            encodedArguments: arguments,
            createdAtMilliseconds: createdAt
        )
        envelope.attempt = attempt
        if skip(Key.timeLimit, in: text) {
            guard let timeLimit = number(in: text) else { return nil }
            envelope.timeLimitMilliseconds = timeLimit
        }
        if skip(Key.age, in: text) {
            guard let age = number(in: text) else { return nil }
            envelope.ageMilliseconds = age
        }
        if skip(Key.reply, in: text) { envelope.replyKey = self.text(in: text) }
        if skip(Key.requestID, in: text) { envelope.requestID = self.text(in: text) }
        if skip(Key.traceparent, in: text) { envelope.traceparent = self.text(in: text) }
        if skip(Key.tracestate, in: text) { envelope.tracestate = self.text(in: text) }
        envelope.isTracked = skip(Key.tracked, in: text)
        // A text that could not be read was not consumed either, so this covers all of them.
        return skip(Key.end, in: text) && position == text.count ? envelope : nil
    }

    private mutating func skip(_ literal: [UInt8], in text: Span<UInt8>) -> Bool {
        guard literal.count <= text.count - position else { return false }
        for index in literal.indices where text[position + index] != literal[index] { return false }
        position += literal.count
        return true
    }

    /// The rest of a string, whose opening quote is behind us, without escapes.
    private mutating func string(in text: Span<UInt8>) -> Range<Int>? {
        var end = position
        while end < text.count, text[end] != UInt8(ascii: "\"") {
            guard text[end] != UInt8(ascii: "\\"), text[end] >= 0x20 else { return nil }
            end += 1
        }
        guard end < text.count else { return nil }
        defer { position = end + 1 }
        return position..<end
    }

    private mutating func text(in text: Span<UInt8>) -> String? {
        string(in: text).flatMap { String(validating: text.extracting($0)) }
    }

    private mutating func number(in text: Span<UInt8>) -> Int? {
        var value = 0
        let first = position
        while position < text.count, text[position] >= UInt8(ascii: "0"), text[position] <= UInt8(ascii: "9") {
            guard position - first < 18 else { return nil }
            value = value * 10 + Int(text[position] - UInt8(ascii: "0"))
            position += 1
        }
        return position > first ? value : nil
    }

    /// The extent of any JSON value that another member follows. Brackets are counted and not matched: what is wrong
    /// inside is found by whoever parses the value.
    private mutating func value(in text: Span<UInt8>) -> Range<Int>? {
        let first = position
        var depth = 0
        var isInString = false
        while position < text.count {
            switch text[position] {
            case UInt8(ascii: "\\") where isInString: position += 1
            case UInt8(ascii: "\""): isInString.toggle()
            case _ where isInString: break
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ",") where depth == 0: return first < position ? first..<position : nil
            default: break
            }
            guard depth >= 0 else { return nil }
            position += 1
        }
        return nil
    }
}

extension String {
    /// Copies UTF-8; nil when it is none.
    fileprivate init?(validating bytes: Span<UInt8>) {
        guard let text = try? UTF8Span(validating: bytes) else { return nil }
        self.init(copying: text)
    }
}
