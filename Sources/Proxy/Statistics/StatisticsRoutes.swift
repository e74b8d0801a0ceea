internal import HTTPServer
internal import JSONWire
public import Postgres
public import Reactor
public import WebAPI

/// `GET /api/statistics/` and `GET /api/statistics/summary`, on the gateway and on the internal API.
@ReactorActor
public enum StatisticsRoutes {
    private static let additions = RouteAdditions(errors: [.unavailable, .upstreamTimeout])

    /// The routes of the internal API.
    public static func answered(by database: PostgresPool) -> [Route] {
        let reader = StatisticsReader(database)
        return [
            StatisticsQuestion.operation.answered(adding: additions) { question, context async throws(APIError) in
                HTTPResponse(json: try await reader.list(question, deadline: context.deadline))
            },
            SummaryQuestion.operation.answered(adding: additions) { question, context async throws(APIError) in
                HTTPResponse(json: try await reader.summary(question.filter, deadline: context.deadline))
            },
        ]
    }

    /// The routes of the gateway.
    public static func relayed(by api: Relay) -> [Route] {
        [StatisticsQuestion.operation.relayed(by: api), SummaryQuestion.operation.relayed(by: api)]
    }
}

/// Reads what was carried from the database.
@ReactorActor
struct StatisticsReader {
    private let database: PostgresPool

    init(_ database: PostgresPool) { self.database = database }

    /// A page, as JSON.
    func list(_ question: StatisticsQuestion, deadline: Instant) async throws(APIError) -> [UInt8] {
        let offset = Int64(question.page - 1) * Int64(question.perPage)
        let result = try await ask(
            Self.page,
            Self.parameters(question.filter)
                + [
                    question.status.map { .int64(Int64($0)) } ?? .null, .int64(Int64(question.perPage)), .int64(offset),
                ],
            deadline
        )
        var json: [UInt8] = []
        result.append(0, 0, to: &json)
        return json
    }

    /// The summary, as JSON.
    func summary(_ filter: StatisticsFilter, deadline: Instant) async throws(APIError) -> [UInt8] {
        let statement = filter.pathPrefix == nil ? Self.totals : Self.totalsOfPaths
        let parameters = Self.parameters(filter)
        let result = try await ask(
            statement,
            filter.pathPrefix == nil ? Array(parameters.dropFirst()) : parameters,
            deadline
        )
        var distribution = LatencyDistribution()
        var classes = [Int](repeating: 0, count: 6)
        for row in 0..<result.count {
            let values = (0..<5).map { Int(result.int64(row, $0) ?? 0) }
            classes[min(values[0], 5)] += values[2]
            distribution.add(bucket: values[1], requests: values[2], microseconds: values[3], longest: values[4])
        }
        return Self.summary(distribution, classes)
    }

    private static func summary(_ distribution: LatencyDistribution, _ classes: [Int]) -> [UInt8] {
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.member("requests", distribution.requests)
            writer.key("success_rate")
            if distribution.requests == 0 {
                writer.null()
            } else {
                writer.number(Double(classes[1...3].reduce(0, +)) / Double(distribution.requests))
            }
            writer.key("status")
            writer.object { writer in
                for number in 1...5 where number > 1 || classes[1] > 0 { writer.member("\(number)xx", classes[number]) }
            }
            writer.key("seconds")
            guard distribution.requests > 0 else { return writer.null() }
            writer.object { writer in
                let values = [
                    ("mean", distribution.mean), ("p50", distribution.percentile(0.5)),
                    ("p90", distribution.percentile(0.9)), ("p99", distribution.percentile(0.99)),
                    ("max", distribution.max),
                ]
                for (name, value) in values {
                    writer.key(name)
                    writer.number((value * 1_000_000).rounded() / 1_000_000)
                }
            }
        }
        return writer.take()
    }

    private static func parameters(_ filter: StatisticsFilter) -> [PostgresParameter] {
        [
            filter.pathPrefix.map { .text($0) } ?? .null, filter.since.map { .text($0.description) } ?? .null,
            filter.until.map { .text($0.description) } ?? .null,
        ]
    }

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
            select coalesce(json_agg(json_build_object(
                'id', id, 'path', origin || path, 'status_code', status_code,
                'seconds', trim_scale(microseconds / 1000000.0),
                'created_at', to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
            ) order by created_at desc, id desc), '[]')
            from (
                select * from proxied_requests
                where ($1::text is null or starts_with(case when $1 like '/%' then path else origin || path end, $1))
                    and created_at >= coalesce($2::timestamptz, '-infinity')
                    and created_at < coalesce($3::timestamptz, 'infinity')
                    and ($4::smallint is null or status_code = $4)
                order by created_at desc, id desc limit $5 offset $6
            ) page
            """
    )

    private static let totals = PostgresStatement(
        reading: """
            select status_class, bucket, sum(requests)::bigint, sum(microseconds)::bigint, max(longest)
            from proxied_totals($1::timestamptz, $2::timestamptz) group by 1, 2
            """
    )

    private static let totalsOfPaths = PostgresStatement(
        reading: """
            select status_code / 100, bucket, count(*), sum(microseconds)::bigint, max(microseconds)
            from proxied_requests
            where starts_with(case when $1::text like '/%' then path else origin || path end, $1)
                and created_at >= coalesce($2::timestamptz, '-infinity')
                and created_at < coalesce($3::timestamptz, 'infinity')
            group by 1, 2
            """
    )
}
