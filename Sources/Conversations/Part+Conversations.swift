internal import Configuration
internal import Postgres
internal import Redis
package import Service
internal import WebAPI

extension Part<GatewayShared> {
    /// Conversations, checked, and answered from a cache.
    package static var conversations: Part {
        Part(scopes: [.conversationsRead], routes: ConversationRoutes.names) { gateway in
            let cache = ConversationRoutes.cache()
            gateway.environment.metrics.register(cache, ("cache", "conversations"))
            return RunningPart(routes: ConversationRoutes.relayed(by: gateway.api, cache: cache))
        }
    }
}

extension Part<APIShared> {
    /// Conversations, from the database.
    package static var conversations: Part {
        Part(sections: [ConversationSettings.table.section], scopes: [.conversationsRead]) { api throws(StartupError) in
            let environment = api.environment
            // Connections of their own, so that what else is asked never waits behind a search.
            let searches = try environment.database()
            let conversations = ConversationRoutes(
                environment.configuration[ConversationSettings.table],
                database: api.database,
                searches: searches,
                redis: api.redis,
                logger: environment.logger
            )
            environment.metrics.register(conversations)
            return RunningPart(routes: conversations.routes, stop: { _ in searches.close() })
        }
    }
}
