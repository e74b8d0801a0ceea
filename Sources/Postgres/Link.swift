public import Reactor

extension PostgresConnectError: LinkFailure {}

/// A place for one connection.
typealias PostgresLink = Link<Connection, PostgresConnectError>

extension PostgresConfiguration {
    /// A place for a connection that is configured so.
    @ReactorActor
    func link() -> PostgresLink {
        PostgresLink(first: reconnectDelayFirst, cap: reconnectDelayCap, refusalCap: refusalDelayCap) { [self] then in
            ConnectAttempt(self) { result in
                then(result.map { Connection($0, silenceMax: silenceMax) })
            }
        }
    }
}
