internal import JSONWire

/// Where a request came from and went to.
struct CarriedSource: Hashable {
    /// The prefix of its route.
    let route: String
    /// Scheme and authority of its upstream.
    let origin: String
}

/// One request that was carried.
struct CarriedRequest {
    /// When it came, since 1970.
    let unixTime: Duration
    let source: CarriedSource
    /// The path that the upstream was asked for, without the query.
    let path: String
    let status: Int
    let duration: Duration
}

/// Requests on their way to the workers: one array for each thing that is known of them, as `record_proxied_batch` of
/// `sql/` takes them.
///
///     {"batch":"…","routes":["/"],"origins":["http://10.0.0.1"],"source":[1,1],"t":[1736121600000,1736121600001],
///      "p":["/a","/b"],"s":[200,404],"m":[812,3350],"b":[107,139]}
///
/// Arrays, because PostgreSQL reads them at once, and would take an object for each request apart field by field.
struct StatisticsBatch {
    private(set) var requestCount = 0
    /// Bytes of what a request adds, all requests together.
    private(set) var byteCount = 0

    /// By source, its place in `routes` and `origins`, from 1.
    private var places: [CarriedSource: Int] = [:]
    private var routes = Column()
    private var origins = Column()
    private var sources = Column()
    private var times = Column()
    private var paths = Column()
    private var statuses = Column()
    private var durations = Column()
    private var buckets = Column()

    /// The elements of an array so far.
    private struct Column {
        private var writer = JSONWriter()

        init() { writer.beginArray() }

        /// Returns by how many bytes the column grew.
        mutating func append(_ text: String) -> Int {
            let before = writer.bytes.count
            writer.string(text)
            return writer.bytes.count - before
        }

        mutating func append(_ number: Int) -> Int {
            let before = writer.bytes.count
            writer.integer(number)
            return writer.bytes.count - before
        }

        /// Moves the array out, and keeps the memory.
        mutating func move(as name: String, to other: inout JSONWriter) {
            writer.endArray()
            other.key(name)
            other.raw(writer.bytes.span)
            writer.removeAll()
            writer.beginArray()
        }
    }

    mutating func append(_ request: CarriedRequest) {
        let microseconds = Int(request.duration / .microseconds(1))
        requestCount += 1
        byteCount += sources.append(place(of: request.source))
        byteCount += times.append(Int(request.unixTime / .milliseconds(1)))
        byteCount += paths.append(request.path)
        byteCount += statuses.append(request.status)
        byteCount += durations.append(microseconds)
        byteCount += buckets.append(LatencyBuckets.bucket(ofMicroseconds: microseconds))
    }

    private mutating func place(of source: CarriedSource) -> Int {
        if let place = places[source] { return place }
        byteCount += routes.append(source.route) + origins.append(source.origin)
        places[source] = places.count + 1
        return places.count
    }

    /// Returns the batch as JSON, and begins another one.
    mutating func take(id: String) -> [UInt8] {
        var writer = JSONWriter(capacity: byteCount + 256)
        writer.object { writer in
            writer.member("batch", id)
            routes.move(as: "routes", to: &writer)
            origins.move(as: "origins", to: &writer)
            sources.move(as: "source", to: &writer)
            times.move(as: "t", to: &writer)
            paths.move(as: "p", to: &writer)
            statuses.move(as: "s", to: &writer)
            durations.move(as: "m", to: &writer)
            buckets.move(as: "b", to: &writer)
        }
        places.removeAll()
        requestCount = 0
        byteCount = 0
        return writer.take()
    }
}
