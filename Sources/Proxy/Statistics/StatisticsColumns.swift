internal import JSONWire
internal import Postgres

/// A batch as ``StatisticsBatch`` writes it, in the arrays in which `record_proxied_batch` of `sql/` takes it.
struct StatisticsColumns {
    private enum BatchMember: String, CaseIterable {
        case batch, segments, sums, paths
    }

    private enum SegmentMember: String, CaseIterable {
        case second, route, origin, milliseconds, paths
        case statusCodes = "status_codes"
        case durations, buckets
    }

    private static let batchNames = JSONNames<BatchMember>()
    private static let segmentNames = JSONNames<SegmentMember>()

    private var batch = ""
    private var sums = ""
    private var sumsByPath = ""
    // One element for each segment.
    private var seconds = BinaryArray(of: .int8)
    private var routes = BinaryArray(of: .text)
    private var origins = BinaryArray(of: .text)
    private var counts = BinaryArray(of: .int4)
    // One element for each request.
    private var milliseconds = BinaryArray(of: .int2)
    private var paths = BinaryArray(of: .text)
    private var statusCodes = BinaryArray(of: .int2)
    private var durations = BinaryArray(of: .int8)
    private var buckets = BinaryArray(of: .int2)

    /// Takes a batch apart; nil if it is not of this form, as one of an older gateway.
    init?(_ batch: String) {
        guard (try? read(batch.utf8.span)) == true else { return nil }
    }

    /// As the function takes them.
    var parameters: [PostgresParameter] {
        [
            .text(batch), .binary(seconds), .binary(routes), .binary(origins), .binary(counts), .binary(milliseconds),
            .binary(paths), .binary(statusCodes), .binary(durations), .binary(buckets), .text(sums), .text(sumsByPath),
        ]
    }

    /// Whether all of it is there, and every request has all that is known of one.
    private mutating func read(_ text: Span<UInt8>) throws(JSONParseError) -> Bool {
        var reader = try JSONReader(text, limits: JSONLimits(bytes: text.count))
        var members = JSONMembers(Self.batchNames)
        try reader.beginObject(text)
        while let member = try members.next(&reader, text) {
            switch member {
            case .batch: batch = try reader.string(text)
            case .sums: sums = try reader.raw(text)
            case .paths: sumsByPath = try reader.raw(text)
            case .segments:
                try reader.beginArray(text)
                while try reader.nextElement(text) {
                    guard try readSegment(&reader, text) else { return false }
                }
            }
        }
        try reader.end(text)
        return !batch.isEmpty && !sums.isEmpty && !sumsByPath.isEmpty && paths.count > 0
    }

    private mutating func readSegment(_ reader: inout JSONReader, _ text: Span<UInt8>) throws(JSONParseError) -> Bool {
        let before = paths.count
        var members = JSONMembers(Self.segmentNames)
        var isWhole = true
        try reader.beginObject(text)
        while let member = try members.next(&reader, text) {
            switch member {
            case .second: seconds.append(try reader.integer(text))
            case .route: try reader.string(text) { routes.append(utf8: $0) }
            case .origin: try reader.string(text) { origins.append(utf8: $0) }
            case .milliseconds: isWhole = try reader.numbers(text, to: &milliseconds, upTo: 999) && isWhole
            case .statusCodes: isWhole = try reader.numbers(text, to: &statusCodes, upTo: 999) && isWhole
            case .durations: isWhole = try reader.numbers(text, to: &durations, upTo: Int.max / 100) && isWhole
            case .buckets: isWhole = try reader.numbers(text, to: &buckets, upTo: Int(Int16.max)) && isWhole
            case .paths:
                try reader.beginArray(text)
                while try reader.nextElement(text) { try reader.string(text) { paths.append(utf8: $0) } }
            }
        }
        counts.append(paths.count - before)
        let ofRequests = [milliseconds, statusCodes, durations, buckets]
        let ofSegments = [seconds, routes, origins]
        return isWhole && paths.count > before && ofRequests.allSatisfy { $0.count == paths.count }
            && ofSegments.allSatisfy { $0.count == counts.count }
    }
}

extension JSONReader {
    /// Reads a string that is an array of PostgreSQL of numbers from 0 to `most`, `{1,2}`; false if it is none.
    fileprivate mutating func numbers(
        _ text: Span<UInt8>,
        to array: inout BinaryArray,
        upTo most: Int
    ) throws(JSONParseError) -> Bool {
        try string(text) { text in
            guard text.count > 2, text[0] == UInt8(ascii: "{"), text[text.count - 1] == UInt8(ascii: "}") else {
                return false
            }
            var number = 0
            for index in 1..<text.count {
                let digit = text[index] &- UInt8(ascii: "0")
                if digit < 10 {
                    number = 10 * number + Int(digit)
                    guard number <= most else { return false }
                } else {
                    let isEnd = text[index] == UInt8(ascii: ",") || index == text.count - 1
                    guard isEnd, text[index - 1] &- UInt8(ascii: "0") < 10 else { return false }
                    array.append(number)
                    number = 0
                }
            }
            return true
        }
    }
}
