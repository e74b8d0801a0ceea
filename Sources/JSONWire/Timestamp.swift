internal import Basics

/// A moment in UTC of the years 1 to 9999, as RFC 3339 writes it, with milliseconds: `2025-01-06T09:30:00.250Z`.
///
/// Formatting is a handful of divisions. A cache for each second would have to be guarded against other threads, which
/// costs more than it saves.
public struct Timestamp: Sendable, Hashable, CustomStringConvertible {
    /// The whole seconds since 1970-01-01T00:00:00Z that four digits of a year can name.
    static let secondsRange = -62_135_596_800..<253_402_300_800

    /// Since 1970-01-01T00:00:00Z; negative before.
    public let unixTime: Duration

    /// Takes a time since 1970-01-01T00:00:00Z.
    public init(unixTime: Duration) { self.unixTime = unixTime }

    /// The whole seconds since 1970-01-01T00:00:00Z, rounded down, and the nanoseconds after them.
    public var wholeSeconds: (seconds: Int64, nanoseconds: Int64) {
        let (seconds, attoseconds) = unixTime.components
        let nanoseconds = attoseconds / 1_000_000_000
        return nanoseconds < 0 ? (seconds - 1, nanoseconds + 1_000_000_000) : (seconds, nanoseconds)
    }

    /// The 24 characters.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// The 24 characters, of ASCII.
    public var bytes: [UInt8] {
        let (seconds, nanoseconds) = wholeSeconds
        let remainder = Int(seconds % 86_400)
        let secondOfDay = remainder < 0 ? remainder + 86_400 : remainder
        let date = CivilDay(daysSince1970: (Int(seconds) - secondOfDay) / 86_400)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        Self.append(date.year, digits: 4, then: "-", to: &bytes)
        Self.append(date.month, digits: 2, then: "-", to: &bytes)
        Self.append(date.day, digits: 2, then: "T", to: &bytes)
        Self.append(secondOfDay / 3600, digits: 2, then: ":", to: &bytes)
        Self.append(secondOfDay / 60 % 60, digits: 2, then: ":", to: &bytes)
        Self.append(secondOfDay % 60, digits: 2, then: ".", to: &bytes)
        Self.append(Int(nanoseconds / 1_000_000), digits: 3, then: "Z", to: &bytes)
        return bytes
    }

    private static func append(_ value: Int, digits: Int, then mark: Unicode.Scalar, to bytes: inout [UInt8]) {
        var divisor = 1
        for _ in 1..<digits { divisor *= 10 }
        while divisor > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
        bytes.append(UInt8(ascii: mark))
    }
}
