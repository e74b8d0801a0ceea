internal import Metrics
public import Postgres
internal import Reactor

extension Metric {
    fileprivate static let up = gauge("tickloop_database_up", "Whether a connection to the database is open.")
    fileprivate static let latency = histogram(
        "tickloop_database_statement_duration_seconds",
        "Time from a statement to its outcome, waiting for a connection included; not of those refused at once."
    )
    fileprivate static let statements = counter("tickloop_database_statements_total", "Statements accepted.")
    fileprivate static let waits = counter(
        "tickloop_database_waits_total",
        "Statements that had to wait because every connection was full."
    )
    fileprivate static let refusals = counter(
        "tickloop_database_refusals_total",
        "Statements refused at once, with nothing connected or too many waiting."
    )
    fileprivate static let reconnects = counter(
        "tickloop_database_reconnects_total",
        "Connections that were lost and made again."
    )
    fileprivate static let connections = gauge("tickloop_database_connections", "Connections that are open.")
    fileprivate static let connectionLimit = gauge(
        "tickloop_database_connections_limit",
        "Connections that the pool keeps when all is well."
    )
    fileprivate static let lent = gauge(
        "tickloop_database_connections_lent",
        "Connections that one caller has to himself, for a transaction for example."
    )
    fileprivate static let inFlight = gauge(
        "tickloop_database_statements_in_flight",
        "Statements sent and not answered."
    )
    fileprivate static let inFlightLimit = gauge(
        "tickloop_database_statements_in_flight_limit",
        "Statements that may be in flight on all connections together."
    )
    fileprivate static let waiting = gauge(
        "tickloop_database_waiting_statements",
        "Statements and transactions that wait for a connection."
    )
}

extension MetricsRegistry {
    /// Adds what a pool counts.
    public func add(_ pool: PostgresPool) {
        add { page in
            let (figures, configuration) = (pool.statistics, pool.configuration)
            page.add(.up, figures.connections > 0)
            page.add(.latency, pool.latency)
            page.add(.statements, figures.statements)
            page.add(.waits, figures.waits)
            page.add(.refusals, figures.refusals)
            page.add(.reconnects, figures.reconnects)
            page.add(.connections, figures.connections)
            page.add(.connectionLimit, configuration.connections)
            page.add(.lent, figures.lent)
            page.add(.inFlight, figures.inFlight)
            page.add(.inFlightLimit, configuration.connections * configuration.inFlightPerConnectionMax)
            page.add(.waiting, figures.waiting)
        }
    }
}
