internal import Basics
internal import JSONWire

/// Requests of one second, route and upstream, and what they add up to.
struct CarriedSegment {
    struct Key: Hashable {
        /// Since 1970.
        let second: Int
        let source: CarriedSource
    }

    /// Of which requests there is a sum.
    private struct Kind: Hashable {
        let statusClass: Int
        let bucket: Int
    }

    /// Bytes that a request, its segment and what it adds to the sums have as JSON at most, but for texts.
    static let byteCountMax = segmentBytesMax + sumBytesMax + pathBytesMax + 40
    private static let segmentBytesMax = 100
    private static let sumBytesMax = 80
    private static let pathBytesMax = 90
    /// Microseconds that have room beside the rest of a request, 101 days; longer ones are told as that.
    static let microsecondsMax = (1 << 43) - 1

    let key: Key
    /// Each is `microseconds << 20 | status << 10 | millisecond`: PostgreSQL calls a function for each number.
    private var requests = NumberColumn()
    /// The place of each request's path among the paths, counted from 1.
    private var pathNumbers = NumberColumn()
    /// The different ones.
    private var paths = JSONWriter()
    private var sums: [Kind: CarriedSum] = [:]
    private var pathSums: [(path: String, sum: CarriedSum)] = []
    private var pathPlaces: [String: Int] = [:]
    /// The place of the last request's path: the next one is likely to have the same.
    private var recentPath = 0

    init(_ key: Key) {
        self.key = key
        paths.beginArray()
    }

    /// Appends a request, and returns how many bytes as JSON that adds at most.
    mutating func append(_ request: CarriedRequest, millisecond: Int) -> Int {
        let (columnBytes, pathBytes) = (columnBytes, paths.bytes.count)
        let (kindCount, pathCount) = (sums.count, pathSums.count)
        var added = isEmpty ? Self.segmentBytesMax + key.source.byteCount : 0
        let duration = min(request.duration.wholeMicroseconds, Self.microsecondsMax)
        let bucket = LatencyBuckets.bucket(ofMicroseconds: duration)
        requests.append(duration << 20 | request.status << 10 | millisecond)

        let isFailure = request.status >= 400
        sums[Kind(statusClass: request.status / 100, bucket: bucket), default: CarriedSum()].add(duration, isFailure)
        if recentPath == pathSums.count || pathSums[recentPath].path != request.path {
            recentPath = pathPlaces[request.path] ?? pathSums.count
            if recentPath == pathSums.count {
                pathPlaces[request.path] = recentPath
                pathSums.append((request.path, CarriedSum()))
                paths.string(request.path)
            }
        }
        pathNumbers.append(recentPath + 1)
        pathSums[recentPath].sum.add(duration, isFailure)

        added += self.columnBytes - columnBytes
        if sums.count > kindCount { added += Self.sumBytesMax + key.source.byteCount }
        if pathSums.count > pathCount {
            added += Self.pathBytesMax + key.source.byteCount + 2 * (paths.bytes.count - pathBytes)
        }
        return added
    }

    private var isEmpty: Bool { pathSums.isEmpty }

    private var columnBytes: Int { requests.byteCount + pathNumbers.byteCount }

    func write(to writer: inout JSONWriter) {
        var paths = paths
        paths.endArray()
        writer.object { writer in
            writer.member("second", key.second)
            writer.member("route", key.source.route)
            writer.member("origin", key.source.origin)
            writer.member("requests", requests)
            writer.member("path_numbers", pathNumbers)
            writer.key("paths")
            writer.raw(paths.bytes.span)
        }
    }

    /// Writes the members of an object: so many requests of a minute, route, class of status and bucket. Some come more
    /// than once, which are added up where they are stored.
    static func writeSums(of segments: [CarriedSegment], to writer: inout JSONWriter) {
        let rows = segments.flatMap { segment in
            segment.sums.map { (segment: segment.key, kind: $0.key, sum: $0.value) }
        }
        writer.texts("routes", rows) { $0.segment.source.route }
        writer.numbers("minutes", rows) { $0.segment.second / 60 * 60 }
        writer.numbers("classes", rows) { $0.kind.statusClass }
        writer.numbers("buckets", rows) { $0.kind.bucket }
        writer.numbers("requests", rows) { $0.sum.requests }
        writer.numbers("microseconds", rows) { $0.sum.microseconds }
        writer.numbers("longest", rows) { $0.sum.longest }
    }

    /// Writes the members of an object: so many requests of an hour, route, upstream and path, in the same way.
    static func writePaths(of segments: [CarriedSegment], to writer: inout JSONWriter) {
        let all = segments.flatMap { segment in
            segment.pathSums.map { path, sum in
                CarriedPath(hour: segment.key.second / 3600 * 3600, source: segment.key.source, path: path, sum: sum)
            }
        }
        let rows = CarriedPath.folded(all)
        writer.texts("routes", rows) { $0.source.route }
        writer.texts("origins", rows) { $0.source.origin }
        writer.numbers("hours", rows) { $0.hour }
        writer.texts("paths", rows) { $0.path }
        writer.numbers("requests", rows) { $0.sum.requests }
        writer.numbers("failures", rows) { $0.sum.failures }
        writer.numbers("microseconds", rows) { $0.sum.microseconds }
        writer.numbers("longest", rows) { $0.sum.longest }
    }
}

/// How many requests there were of a kind, and how long they took.
private struct CarriedSum {
    private(set) var requests = 0
    /// Requests whose status is 400 or more.
    private(set) var failures = 0
    private(set) var microseconds = 0
    private(set) var longest = 0

    mutating func add(_ duration: Int, _ isFailure: Bool) {
        requests += 1
        if isFailure { failures += 1 }
        microseconds += duration
        longest = max(longest, duration)
    }

    mutating func add(_ other: CarriedSum) {
        requests += other.requests
        failures += other.failures
        microseconds += other.microseconds
        longest = max(longest, other.longest)
    }
}

/// What was carried of a path in an hour; of all others together if the path is empty.
private struct CarriedPath {
    /// Paths that a batch has by name at most, but for those at the ends: as many as an hour has in the database.
    private static let namedMax = 1000

    private struct Place: Hashable {
        let hour: Int
        let source: CarriedSource
    }

    let hour: Int
    let source: CarriedSource
    let path: String
    let sum: CarriedSum

    /// The busiest paths by name, and the others together.
    ///
    /// The first and the last one of each source, by their bytes, keep their names: between them are all of its paths,
    /// which is how those below a prefix are found.
    static func folded(_ paths: [CarriedPath]) -> [CarriedPath] {
        guard paths.count > namedMax else { return paths }
        let byRequests = paths.sorted { $0.sum.requests > $1.sum.requests }
        let rest = byRequests.dropFirst(namedMax)
        var ends: [CarriedSource: (first: String, last: String)] = [:]
        for path in rest {
            var (first, last) = ends[path.source] ?? (path.path, path.path)
            if path.path.utf8.lexicographicallyPrecedes(first.utf8) { first = path.path }
            if last.utf8.lexicographicallyPrecedes(path.path.utf8) { last = path.path }
            ends[path.source] = (first, last)
        }
        var named = Array(byRequests.prefix(namedMax))
        var others: [Place: CarriedSum] = [:]
        for path in rest {
            if let (first, last) = ends[path.source], path.path == first || path.path == last {
                named.append(path)
            } else {
                others[Place(hour: path.hour, source: path.source), default: CarriedSum()].add(path.sum)
            }
        }
        named += others.map { CarriedPath(hour: $0.key.hour, source: $0.key.source, path: "", sum: $0.value) }
        return named
    }
}

/// Numbers as the text of an array of PostgreSQL, `{1,2}`, which it reads faster than JSON's.
private struct NumberColumn {
    private var text: [UInt8] = Array("\"{".utf8)

    /// - Parameter number: Not negative.
    mutating func append(_ number: Int) {
        if text.count > 2 { text.append(UInt8(ascii: ",")) }
        text.append(decimal: UInt64(number))
    }

    var byteCount: Int { text.count }

    /// As a string of JSON.
    var json: [UInt8] { text + "}\"".utf8 }
}

extension JSONWriter {
    fileprivate mutating func member(_ name: String, _ column: NumberColumn) {
        let json = column.json
        key(name)
        raw(json.span)
    }

    /// A member that has a number of each element.
    fileprivate mutating func numbers<Element>(_ name: String, _ elements: [Element], _ number: (Element) -> Int) {
        var column = NumberColumn()
        for element in elements { column.append(number(element)) }
        member(name, column)
    }

    /// A member that has a text of each element.
    fileprivate mutating func texts<Element>(_ name: String, _ elements: [Element], _ text: (Element) -> String) {
        key(name)
        array { writer in
            for element in elements { writer.string(text(element)) }
        }
    }
}
