internal import Basics

/// Results for one submitter as they travel in one message: of each task its id, the length of its outcome in decimal
/// digits, a space, and the encoded outcome.
///
///     01936121-6000-7000-8000-00000000000012 +{"data":[]}01936121-…
struct ReplyBatch {
    /// The message so far.
    private(set) var bytes: [UInt8] = []

    /// Appends a success, without encoding it on the side first.
    mutating func append(_ id: TaskID, success result: [UInt8]) {
        beginReply(to: id, lengthBytes: 1 + result.count)
        bytes.append(TaskOutcome.Tag.success)
        bytes.append(contentsOf: result)
    }

    /// Appends any outcome.
    mutating func append(_ id: TaskID, _ outcome: TaskOutcome) {
        let encoded = outcome.encoded
        beginReply(to: id, lengthBytes: encoded.count)
        bytes.append(contentsOf: encoded)
    }

    private mutating func beginReply(to id: TaskID, lengthBytes: Int) {
        id.append(to: &bytes)
        bytes.append(decimal: UInt64(lengthBytes))
        bytes.append(UInt8(ascii: " "))
    }

    /// Calls `body` with each task and its encoded outcome.
    ///
    /// - Returns: False when the message is damaged; what comes before the damage was read.
    static func read(_ message: Span<UInt8>, _ body: (TaskID, Span<UInt8>) -> Void) -> Bool {
        var position = 0
        while position < message.count {
            guard position + TaskID.textBytes < message.count,
                let id = TaskID(message.extracting(position..<(position + TaskID.textBytes)))
            else { return false }
            position += TaskID.textBytes
            guard let length = message.decimal(at: &position, upTo: UInt8(ascii: " ")),
                length <= message.count - position
            else { return false }
            body(id, message.extracting(position..<(position + length)))
            position += length
        }
        return true
    }
}
