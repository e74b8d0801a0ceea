internal import Basics

/// The name of one task, from its submission to the end of its result: a UUID of version 7.
///
/// Version 7 begins with the time, so that ids sort by age. It keeps its id when it is retried or replayed.
public struct TaskID: Hashable, Sendable {
    private let uuid: UUIDVersion7

    /// Makes an id.
    ///
    /// - Parameter unixTime: Time since 1970-01-01T00:00:00Z; milliseconds of it are kept.
    init(unixTime: Duration, using generator: inout some RandomNumberGenerator) {
        uuid = UUIDVersion7(
            milliseconds: UInt64(clamping: unixTime.wholeMilliseconds),
            counter: generator.next(),
            random: generator.next()
        )
    }

    /// Reads the usual text form, 36 characters with hexadecimal digits of either case; nil for anything else.
    public init?(_ text: String) {
        self.init(text.utf8.span)
    }

    /// Reads the usual text form from bytes.
    init?(_ text: Span<UInt8>) {
        guard let uuid = UUIDVersion7(text) else { return nil }
        self.uuid = uuid
    }
}

extension TaskID: CustomStringConvertible {
    /// Length of the usual text form.
    static let textBytes = UUIDVersion7.textBytes

    /// The usual text form, in lower case.
    public var description: String { uuid.description }

    /// Appends the usual text form, in lower case.
    func append(to text: inout [UInt8]) { uuid.append(to: &text) }
}
