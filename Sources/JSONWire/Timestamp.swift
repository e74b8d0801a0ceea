internal import Basics

/// A moment in UTC, as RFC 3339 writes it, with milliseconds: `2025-01-06T09:30:00.250Z`.
///
/// Formatting is a handful of divisions. A cache for each second would have to be guarded against other threads, which
/// costs more than it saves.
public struct Timestamp: Sendable, Hashable, CustomStringConvertible {
    /// Since 1970-01-01T00:00:00Z; never negative.
    public let unixTime: Duration

    /// Takes a time since 1970-01-01T00:00:00Z that is not negative.
    public init(unixTime: Duration) { self.unixTime = unixTime }

    /// The 24 characters.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// The 24 characters, of ASCII.
    public var bytes: [UInt8] {
        let (seconds, attoseconds) = unixTime.components
        let date = CivilDay(daysSince1970: Int(seconds / 86_400))
        let secondOfDay = Int(seconds % 86_400)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        Self.append(date.year, digits: 4, then: "-", to: &bytes)
        Self.append(date.month, digits: 2, then: "-", to: &bytes)
        Self.append(date.day, digits: 2, then: "T", to: &bytes)
        Self.append(secondOfDay / 3600, digits: 2, then: ":", to: &bytes)
        Self.append(secondOfDay / 60 % 60, digits: 2, then: ":", to: &bytes)
        Self.append(secondOfDay % 60, digits: 2, then: ".", to: &bytes)
        Self.append(Int(attoseconds / 1_000_000_000_000_000), digits: 3, then: "Z", to: &bytes)
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
