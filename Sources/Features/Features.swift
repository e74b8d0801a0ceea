internal import Conversations
internal import MarketData
internal import Orders
internal import Prices
internal import Proxy
package import Service

/// What each role has of the features: a new one is named here and nowhere else.
package enum Features {
    /// What the public gateway serves.
    package static let ofGateway: [Part<GatewayShared>] = [
        .averages,
        .marketData,
        .conversations,
        .orders,
        .proxy,
    ]

    /// What the internal API serves.
    package static let ofAPI: [Part<APIShared>] = [
        .averages,
        .conversations,
        .orders,
        .marketData,
        .proxy,
    ]

    /// What a worker works on.
    package static let ofWorker: [Part<WorkerShared>] = [
        .averages,
        .proxy,
        .marketData,
        .orders,
    ]
}
