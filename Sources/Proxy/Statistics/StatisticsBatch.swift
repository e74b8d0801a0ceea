internal import Basics
internal import JSONWire

/// Where a request came from and went to: by reference, as many requests have the same.
final class CarriedSource: Hashable, Sendable {
    /// The prefix of its route.
    let route: String
    /// Scheme and authority of its upstream.
    let origin: String
    /// Bytes that it has as JSON, where nothing in it is escaped.
    let byteCount: Int

    init(route: String, origin: String) {
        self.route = route
        self.origin = origin
        byteCount = route.utf8.count + origin.utf8.count + 6
    }

    static func == (left: CarriedSource, right: CarriedSource) -> Bool {
        left === right || left.route == right.route && left.origin == right.origin
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(route)
        hasher.combine(origin)
    }
}

/// One request that was carried.
struct CarriedRequest {
    /// When it came, since 1970.
    let unixTime: Duration
    let source: CarriedSource
    /// The path that the upstream was asked for, without the query.
    let path: String
    /// Three digits.
    let status: Int
    let duration: Duration

    /// Bytes that it adds to a batch at most, where nothing in it is escaped: as if it shared nothing with another one.
    fileprivate var byteCount: Int { CarriedSegment.byteCountMax + 3 * source.byteCount + 2 * path.utf8.count }
}

/// Requests on their way to the workers, as `record_proxied_batch` of `sql/` takes them: single ones in segments, and
/// what they add to the sums.
///
///     {"batch":"…",
///      "segments":[{"second":1736121600,"route":"/","origin":"http://10.0.0.1","requests":"{851648512,3513143297}",
///                   "path_numbers":"{1,2}","paths":["/a","/b"]}],
///      "sums":{"routes":["/","/"],"minutes":"{1736121600,1736121600}","classes":"{2,4}",…},
///      "paths":{"routes":["/","/"],"origins":[…],"hours":"{…}","paths":["/a","/b"],…}}
///
/// Summed up here, where it costs two lookups for a request; in PostgreSQL it would be a large part of the work. Many
/// requests at a time, as that costs less than between other things, but not so many that the loop stands still for it.
struct StatisticsBatch {
    /// Requests that are summed up at a time.
    private static let unsummedMax = 64

    /// About the bytes that the batch has as JSON, rather more than fewer.
    var byteCount: Int { summedBytes + unsummedBytes }
    private(set) var requestCount = 0
    private var unsummed: [CarriedRequest] = []
    private var unsummedBytes = 0
    private var summedBytes = 0
    private var segments: [CarriedSegment] = []
    private var places: [CarriedSegment.Key: Int] = [:]
    /// The place of the last request's segment: the next one is likely to go there too.
    private var recent = 0

    mutating func append(_ request: CarriedRequest) {
        unsummed.append(request)
        requestCount += 1
        unsummedBytes += request.byteCount
        if unsummed.count == Self.unsummedMax { sumUp() }
    }

    /// Returns the batch as JSON, and begins another one.
    mutating func take(id: String) -> [UInt8] {
        sumUp()
        var writer = JSONWriter(capacity: 512 + 32 * requestCount)
        writer.object { writer in
            writer.member("batch", id)
            writer.key("segments")
            writer.array { writer in
                for segment in segments { segment.write(to: &writer) }
            }
            writer.key("sums")
            writer.object { CarriedSegment.writeSums(of: segments, to: &$0) }
            writer.key("paths")
            writer.object { CarriedSegment.writePaths(of: segments, to: &$0) }
        }
        segments.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        (summedBytes, requestCount, recent) = (0, 0, 0)
        return writer.take()
    }

    private mutating func sumUp() {
        for request in unsummed {
            let time = request.unixTime.wholeMilliseconds
            let key = CarriedSegment.Key(second: time / 1000, source: request.source)
            if recent == segments.count || segments[recent].key != key {
                recent = places[key] ?? segments.count
                if recent == segments.count {
                    places[key] = recent
                    segments.append(CarriedSegment(key))
                }
            }
            summedBytes += segments[recent].append(request, millisecond: time % 1000)
        }
        unsummed.removeAll(keepingCapacity: true)
        unsummedBytes = 0
    }
}
