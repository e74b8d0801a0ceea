internal import JSONWire
internal import Postgres
internal import Reactor
internal import WebAPI

/// Reads what was carried from the database, as JSON.
@ReactorActor
struct StatisticsReader {
    private let database: PostgresPool

    init(_ database: PostgresPool) { self.database = database }

    /// A page of single requests.
    func list(_ question: StatisticsQuestion, deadline: Instant) async throws(APIError) -> [UInt8] {
        let offset = Int64(question.page - 1) * Int64(question.perPage)
        let filter = question.filter
        let result = try await ask(
            Self.page,
            [
                Self.text(filter.pathPrefix), Self.text(filter.since), Self.text(filter.until),
                question.status.map { .int64(Int64($0)) } ?? .null, .int64(Int64(question.perPage)), .int64(offset),
                Self.text(filter.route),
            ],
            deadline
        )
        var json: [UInt8] = []
        result.append(0, 0, to: &json)
        return json
    }

    func summary(_ filter: StatisticsFilter, deadline: Instant) async throws(APIError) -> [UInt8] {
        let result = try await ask(
            Self.totals,
            [
                Self.text(filter.pathPrefix), Self.text(filter.since), Self.text(filter.until), Self.text(filter.route),
            ],
            deadline
        )
        var summary = StatisticsSummary()
        for row in 0..<result.count { summary.add(result, row) }
        var writer = JSONWriter(capacity: 256)
        writer.object { summary.append(to: &$0) }
        return writer.take()
    }

    /// The summary of each route.
    func routes(_ question: RoutesQuestion, deadline: Instant) async throws(APIError) -> [UInt8] {
        let result = try await ask(Self.routes, [Self.text(question.since), Self.text(question.until)], deadline)
        let found = Self.summaries(result).sorted { ($1.summary.requests, $0.key) < ($0.summary.requests, $1.key) }
        var writer = JSONWriter(capacity: 64 + found.count * 256)
        writer.object { Self.append(found, under: "route", to: &$0) }
        return writer.take()
    }

    /// The summary of each minute, hour or day.
    func series(_ question: SeriesQuestion, deadline: Instant) async throws(APIError) -> [UInt8] {
        let (since, until, width) = question.range(at: Timestamp(unixTime: Reactor.unixTime))
        let result = try await ask(
            Self.pieces,
            [.text(width.interval), Self.text(since), Self.text(until), Self.text(question.route)],
            deadline
        )
        let found = Self.summaries(result)
        var writer = JSONWriter(capacity: 64 + found.count * 256)
        writer.object { writer in
            writer.member("width_s", width.rawValue)
            Self.append(found, under: "time", to: &writer)
        }
        return writer.take()
    }

    /// The busiest paths.
    func top(_ question: TopQuestion, deadline: Instant) async throws(APIError) -> [UInt8] {
        let result = try await ask(
            Self.paths,
            [
                Self.text(question.since), Self.text(question.until), Self.text(question.route),
                .int64(Int64(question.limit)),
            ],
            deadline
        )
        // The others have no path, and come last.
        let hasOther = result.count > 0 && result.text(result.count - 1, 0) == ""
        var writer = JSONWriter(capacity: 64 + result.count * 256)
        writer.object { writer in
            writer.key("data")
            writer.array { writer in
                for row in 0..<result.count - (hasOther ? 1 : 0) { Self.appendPath(result, row, to: &writer) }
            }
            writer.key("other")
            if hasOther { Self.appendPath(result, result.count - 1, to: &writer) } else { writer.null() }
        }
        return writer.take()
    }

    // MARK: Rows

    /// The summaries of rows that belong together by their last column, in the order in which they come.
    private static func summaries(_ result: PostgresResult) -> [(key: String, summary: StatisticsSummary)] {
        var found: [(key: String, summary: StatisticsSummary)] = []
        for row in 0..<result.count {
            let key = result.text(row, 5) ?? ""
            if found.last?.key != key { found.append((key, StatisticsSummary())) }
            found[found.count - 1].summary.add(result, row)
        }
        return found
    }

    private static func append(
        _ found: [(key: String, summary: StatisticsSummary)],
        under name: String,
        to writer: inout JSONWriter
    ) {
        writer.key("data")
        writer.array { writer in
            for (key, summary) in found {
                writer.object { writer in
                    writer.member(name, key)
                    summary.append(to: &writer)
                }
            }
        }
    }

    private static func appendPath(_ result: PostgresResult, _ row: Int, to writer: inout JSONWriter) {
        let numbers = (1...4).map { Int(result.int64(row, $0) ?? 0) }
        writer.object { writer in
            if let path = result.text(row, 0), !path.isEmpty { writer.member("path", path) }
            writer.member("requests", numbers[0])
            writer.key("success_rate")
            writer.number(Double(numbers[0] - numbers[1]) / Double(numbers[0]))
            writer.key("seconds")
            writer.object { writer in
                writer.member("mean", seconds: Double(numbers[2]) / Double(numbers[0]) / 1_000_000)
                writer.member("max", seconds: Double(numbers[3]) / 1_000_000)
            }
        }
    }

    // MARK: Asking

    private static func text(_ value: String?) -> PostgresParameter { value.map { .text($0) } ?? .null }
    private static func text(_ value: Timestamp?) -> PostgresParameter { text(value?.description) }

    private func ask(
        _ statement: PostgresStatement,
        _ parameters: [PostgresParameter],
        _ deadline: Instant
    ) async throws(APIError) -> PostgresResult {
        do {
            return try await database.query(statement, parameters, deadline: deadline)
        } catch {
            switch error {
            case .timedOut: throw .upstreamTimeout
            case .server(let error) where error.sqlState == .queryCanceled: throw .upstreamTimeout
            default: throw .unavailable
            }
        }
    }

    private static let page = PostgresStatement(
        reading: """
            select
                '[' || coalesce(string_agg(row_to_json(page)::text, ',' order by created_at desc, id desc), '') || ']'
            from (
                select id, origin || path as path, status_code, trim_scale(microseconds / 1000000.0) as seconds,
                    to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as created_at
                from (
                    select origin, requests.*
                    from proxied_segments segments
                    cross join lateral proxied_matches(segments, $1, $2, $3, $4) as requests
                    where second >= date_trunc('second', coalesce($2::timestamptz, '-infinity'))
                        and second < coalesce($3::timestamptz, 'infinity')
                        and ($7::text is null or route = $7)
                        and ($4::smallint is null or $4 = any (status_codes))
                    -- All of a second: what came in it is in no order.
                    order by second desc fetch first ($5::bigint + $6::bigint) rows with ties
                ) as requests
                order by requests.created_at desc, id desc limit $5 offset $6
            ) as page
            """
    )

    private static let totals = PostgresStatement(
        reading: """
            select status_class, bucket, sum(requests)::bigint, sum(microseconds)::bigint, max(longest)
            from proxied_totals_of($1, $2::timestamptz, $3::timestamptz, $4) group by 1, 2
            """
    )

    private static let routes = PostgresStatement(
        reading: """
            select status_class, bucket, sum(requests)::bigint, sum(microseconds)::bigint, max(longest), route
            from proxied_totals($1::timestamptz, $2::timestamptz) group by 6, 1, 2 order by 6
            """
    )

    private static let pieces = PostgresStatement(
        reading: """
            select status_class, bucket, sum(requests)::bigint, sum(microseconds)::bigint, max(longest), utc_text(start)
            from proxied_sums_now
            where width = $1::interval and start >= date_bin($1, $2::timestamptz, 'epoch') and start < $3::timestamptz
                and ($4::text is null or route = $4)
            group by start, 1, 2 order by start
            """
    )

    private static let paths = PostgresStatement(
        reading: """
            select case when place <= $4 then path else '' end, sum(requests)::bigint, sum(failures)::bigint,
                sum(microseconds)::bigint, max(longest)
            from (
                select *, row_number() over (order by path = '', requests desc, path) + (path = '')::int * $4 as place
                from (
                    select path, sum(requests) as requests, sum(failures) as failures,
                        sum(microseconds) as microseconds, max(longest) as longest
                    from proxied_paths_now
                    where start >= date_bin('1 hour', coalesce($1::timestamptz, '-infinity'), 'epoch')
                        and start < coalesce($2::timestamptz, 'infinity') and ($3::text is null or route = $3)
                    group by 1
                ) as counted
            ) as placed
            group by 1 order by (case when place <= $4 then path else '' end) = '', 2 desc, 1
            """
    )
}

/// How many requests there were, how they ended, and how long they took.
struct StatisticsSummary {
    private var distribution = LatencyDistribution()
    /// By the first digit of the status.
    private var classes = [Int](repeating: 0, count: 6)

    var requests: Int { distribution.requests }

    /// Adds a row: class of status, bucket, requests, microseconds, longest.
    mutating func add(_ result: PostgresResult, _ row: Int) {
        let values = (0..<5).map { Int(result.int64(row, $0) ?? 0) }
        classes[min(values[0], 5)] += values[2]
        distribution.add(bucket: values[1], requests: values[2], microseconds: values[3], longest: values[4])
    }

    /// Writes the members of an object.
    func append(to writer: inout JSONWriter) {
        writer.member("requests", requests)
        writer.key("success_rate")
        if requests == 0 {
            writer.null()
        } else {
            writer.number(Double(classes[1...3].reduce(0, +)) / Double(requests))
        }
        writer.key("status")
        writer.object { writer in
            for number in 1...5 where number > 1 || classes[1] > 0 { writer.member("\(number)xx", classes[number]) }
        }
        writer.key("seconds")
        guard requests > 0 else { return writer.null() }
        writer.object { writer in
            writer.member("mean", seconds: distribution.mean)
            writer.member("p50", seconds: distribution.percentile(0.5))
            writer.member("p90", seconds: distribution.percentile(0.9))
            writer.member("p99", seconds: distribution.percentile(0.99))
            writer.member("max", seconds: distribution.max)
        }
    }
}

extension JSONWriter {
    /// A member that is a duration, to the microsecond.
    fileprivate mutating func member(_ name: String, seconds: Double) {
        key(name)
        number((seconds * 1_000_000).rounded() / 1_000_000)
    }
}
