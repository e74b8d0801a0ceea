package import Admin
package import Configuration
package import Reactor
package import WebAPI

/// What a slice brings into one role: what it can be told, and how it starts there.
///
///     extension Part<APIShared> {
///         package static var orders: Part { Part { api in RunningPart(routes: OrderRoutes(api.database).routes) } }
///     }
///
/// `Shared` is what the parts of the role share; the role names its parts in one list.
package struct Part<Shared>: Sendable {
    fileprivate let sections: [ConfigurationSection]
    fileprivate let tables: [RepeatedSection]
    fileprivate let scopes: [Scope]
    fileprivate let routes: [String]?
    fileprivate let start: @ReactorActor @Sendable (Shared) throws(StartupError) -> RunningPart

    /// - Parameters:
    ///   - sections: Its tables of keys, which stand behind those of the role.
    ///   - tables: Its tables that repeat.
    ///   - scopes: What its routes want of tokens, besides `admin`.
    ///   - routes: The names of its routes, where they are to be known without a start; nil for a role that does not
    ///     ask.
    ///   - start: Called once, when what is shared is there.
    package init(
        sections: [ConfigurationSection] = [],
        tables: [RepeatedSection] = [],
        scopes: [Scope] = [],
        routes: [String]? = nil,
        start: @escaping @ReactorActor @Sendable (Shared) throws(StartupError) -> RunningPart
    ) {
        self.routes = routes
        self.sections = sections
        self.tables = tables
        self.scopes = scopes
        self.start = start
    }
}

package struct RunningPart: Sendable {
    /// Checks a configuration that was read again, and returns what takes it.
    package typealias Reload = @ReactorActor (Configuration) throws(StartupError) -> @ReactorActor () -> Void

    /// What it answers to.
    package var routes: [Route]
    /// What it answers to on `admin.listen`, for operators only.
    var adminRoutes: [Route]
    /// What the console shows of it.
    var console: [ConsoleSection]
    /// Takes what no route's path matches; one part of a role may.
    var fallback: (any PathFallback)?
    /// Reads what may change without a restart. What it returns puts that into effect, once no part has refused.
    var reload: Reload
    /// Called after the requests are drained: finishes what is in flight until the instant, then closes.
    package var stop: @ReactorActor (Instant) async -> Void

    package init(
        routes: [Route] = [],
        adminRoutes: [Route] = [],
        console: [ConsoleSection] = [],
        fallback: (any PathFallback)? = nil,
        reload: @escaping Reload = { _ in {} },
        stop: @escaping @ReactorActor (Instant) async -> Void = { _ in }
    ) {
        self.routes = routes
        self.adminRoutes = adminRoutes
        self.console = console
        self.fallback = fallback
        self.reload = reload
        self.stop = stop
    }

    /// What its routes want of tokens.
    @ReactorActor
    fileprivate var needs: Set<Scope> {
        Set((routes + adminRoutes).compactMap(\.needs)).union([fallback?.needs].compactMap(\.self))
    }
}

extension Array {
    /// The names of what parts answer to, known before they are started.
    package func routeNames<Shared>() -> [String] where Element == Part<Shared> { flatMap { $0.routes ?? [] } }
}

extension ConfigurationSchema {
    /// All that a role and its parts can be told.
    package init<Shared>(
        service: String,
        _ sections: [ConfigurationSection],
        tables: [RepeatedSection] = [],
        parts: [Part<Shared>]
    ) {
        self.init(
            service: service,
            sections + parts.flatMap(\.sections) + ConfigurationSection.common,
            tables: tables + parts.flatMap(\.tables)
        )
    }
}

extension Role {
    /// Describes a role that is made of parts, whose scopes are its own.
    package init<Shared>(
        schema: ConfigurationSchema,
        parts: [Part<Shared>],
        start: @escaping @ReactorActor (ServiceEnvironment) async throws(StartupError) -> RunningService
    ) {
        self.init(schema: schema, scopes: parts.flatMap(\.scopes), start: start)
    }
}

extension [RunningPart] {
    /// Starts parts in their order, in which they are also stopped.
    ///
    /// - Throws: Also if a route wants a scope that its part does not name: nobody could make a token for it; or if a
    ///   part answers to other routes than it names.
    @ReactorActor
    package init<Shared>(starting parts: [Part<Shared>], with shared: Shared) throws(StartupError) {
        self = []
        for part in parts {
            let running = try part.start(shared)
            if let unnamed = running.needs.subtracting(part.scopes + [.admin]).first {
                throw StartupError("a route wants the scope \(unnamed.name), which its part does not name")
            }
            if let names = part.routes.map(Set.init) {
                let answered = Set(running.routes.map(\.name))
                if let name = answered.subtracting(names).min() {
                    throw StartupError("\(name) is a route that its part does not name")
                }
                if let name = names.subtracting(answered).min() {
                    throw StartupError("\(name) is no route of the part that names it")
                }
            }
            append(running)
        }
    }

    /// What all of them answer to.
    package var routes: [Route] { flatMap(\.routes) }

    /// What all of them answer to, for operators only.
    package var adminRoutes: [Route] { flatMap(\.adminRoutes) }

    /// What the console shows of all of them.
    package var console: [ConsoleSection] { flatMap(\.console) }

    /// The one that takes what no route's path matches.
    package var fallback: (any PathFallback)? { lazy.compactMap(\.fallback).first }

    /// Takes what may change; when it throws, nothing has changed.
    @ReactorActor
    package func reload(_ configuration: Configuration) throws(StartupError) {
        var changes: [@ReactorActor () -> Void] = []
        for part in self { changes.append(try part.reload(configuration)) }
        for change in changes { change() }
    }

    @ReactorActor
    package func stop(by deadline: Instant) async {
        for part in self { await part.stop(deadline) }
    }
}
