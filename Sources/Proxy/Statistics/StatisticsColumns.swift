internal import JSONWire
internal import Postgres

/// A batch as ``StatisticsBatch`` writes it, in the arrays in which `record_proxied_batch` of `sql/` takes it.
struct StatisticsColumns {
    private enum BatchMember: String, CaseIterable {
        case batch, segments, sums, paths
    }

    private enum SegmentMember: String, CaseIterable {
        case second, route, origin, requests, paths
        case pathNumbers = "path_numbers"
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
    // Where each segment ends in what there is of all of them.
    private var requestEnds = BinaryArray(of: .int4)
    private var pathEnds = BinaryArray(of: .int4)
    private var statusEnds = BinaryArray(of: .int4)
    // One element for each request.
    private var requests = BinaryArray(of: .int8)
    private var pathNumbers = BinaryArray(of: .int2)
    // The different ones of each segment.
    private var paths = BinaryArray(of: .text)
    private var statusCodes = BinaryArray(of: .int2)

    /// Takes a batch apart; nil if it is not of this form, as one of an older gateway.
    init?(_ batch: String) {
        guard (try? read(batch.utf8.span)) == true else { return nil }
    }

    /// As the function takes them.
    var parameters: [PostgresParameter] {
        [
            .text(batch), .binary(seconds), .binary(routes), .binary(origins), .binary(requestEnds), .binary(pathEnds),
            .binary(statusEnds), .binary(requests), .binary(pathNumbers), .binary(paths), .binary(statusCodes),
            .text(sums), .text(sumsByPath),
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
        return !batch.isEmpty && !sums.isEmpty && !sumsByPath.isEmpty && requests.count > 0
    }

    private mutating func readSegment(_ reader: inout JSONReader, _ text: Span<UInt8>) throws(JSONParseError) -> Bool {
        let before = (requests: requests.count, paths: paths.count)
        var members = JSONMembers(Self.segmentNames)
        var areNumbers = true
        var statuses: [Int] = []
        var lastPath = 0
        try reader.beginObject(text)
        while areNumbers, let member = try members.next(&reader, text) {
            switch member {
            case .second: seconds.append(try reader.integer(text))
            case .route: try reader.string(text) { routes.append(utf8: $0) }
            case .origin: try reader.string(text) { origins.append(utf8: $0) }
            case .requests:
                areNumbers = try reader.numbers(text, in: 0...Int.max) { request in
                    requests.append(request)
                    let status = request >> 10 & 1023
                    if !statuses.contains(status) { statuses.append(status) }
                }
            case .pathNumbers:
                areNumbers = try reader.numbers(text, in: 1...Int(Int16.max)) { number in
                    pathNumbers.append(number)
                    lastPath = max(lastPath, number)
                }
            case .paths:
                try reader.beginArray(text)
                while try reader.nextElement(text) { try reader.string(text) { paths.append(utf8: $0) } }
            }
        }
        for status in statuses { statusCodes.append(status) }
        requestEnds.append(requests.count)
        pathEnds.append(paths.count)
        statusEnds.append(statusCodes.count)
        return areNumbers && requests.count > before.requests && pathNumbers.count == requests.count
            && lastPath <= paths.count - before.paths
            && [seconds, routes, origins].allSatisfy { $0.count == requestEnds.count }
    }
}

extension JSONReader {
    /// Takes each number of a string that is an array of PostgreSQL, `{1,2}`; false if it is none, or one of them is
    /// negative or out of the range.
    fileprivate mutating func numbers(
        _ text: Span<UInt8>,
        in range: ClosedRange<Int>,
        _ take: (Int) -> Void
    ) throws(JSONParseError) -> Bool {
        try string(text) { text in
            guard text.count > 2, text[0] == UInt8(ascii: "{"), text[text.count - 1] == UInt8(ascii: "}") else {
                return false
            }
            var number = 0
            for index in 1..<text.count {
                let digit = text[index] &- UInt8(ascii: "0")
                if digit < 10 {
                    guard number <= (range.upperBound - Int(digit)) / 10 else { return false }
                    number = 10 * number + Int(digit)
                } else {
                    let isEnd = text[index] == UInt8(ascii: ",") || index == text.count - 1
                    guard isEnd, text[index - 1] &- UInt8(ascii: "0") < 10, range.contains(number) else { return false }
                    take(number)
                    number = 0
                }
            }
            return true
        }
    }
}
