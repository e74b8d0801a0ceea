internal import JSONWire

/// A limit as an operator states it: what it concerns, what is counted together, and how much is allowed.
public struct RateRule: Hashable, Sendable {
    /// What is counted together.
    enum Grouping: String, CaseIterable, Sendable {
        /// What one client asks of one route.
        case both
        /// What one client asks, whatever it is.
        case address
        /// What all clients ask of one route.
        case route
    }

    /// The requests that it concerns, by what they ask for.
    struct Scope: Hashable, Sendable, CustomStringConvertible {
        static let form = "a path, or a method and a path"
        static let bytesMax = 200

        let method: String?
        let path: String

        /// Reads a path, or a method and a path; a path that ends with a slash stands for all that begin like it.
        init?(_ text: String) {
            let words = text.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            guard (1...2).contains(words.count), text.utf8.count <= Self.bytesMax, let path = words.last,
                path.hasPrefix("/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else { return nil }
            method = words.count == 2 ? words[0] : nil
            if let method, !method.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) || method.isEmpty { return nil }
            self.path = path
        }

        /// Whether it is about all paths that begin alike.
        var isPrefix: Bool { path.hasSuffix("/") }

        /// Whether a path, or the template of a route, is one of them. A slash at its end makes no difference.
        /// By bytes: a mark that combines with a slash before it would hide that.
        func covers(path other: String) -> Bool {
            if other.utf8.elementsEqual(path.utf8) { return true }
            return isPrefix && (other.hasSuffix("/") ? other : other + "/").utf8.starts(with: path.utf8)
        }

        func covers(method other: String) -> Bool { method.map { $0 == (other == "HEAD" ? "GET" : other) } ?? true }

        /// The text form.
        public var description: String { method.map { "\($0) \(path)" } ?? path }
    }

    /// What is counted together.
    let grouping: Grouping
    /// What it concerns.
    let scope: Scope
    /// The clients that it concerns; nil for all.
    let clients: AddressRange?
    /// How many requests; 0 for any number.
    let requests: Int
    /// Within how many seconds.
    let seconds: Int

    static let requestsRange = 0...10_000
    static let secondsRange = 1...86_400

    init(
        _ grouping: Grouping = .both,
        _ scope: Scope,
        clients: AddressRange? = nil,
        requests: Int,
        seconds: Int = 60
    ) {
        self.grouping = grouping
        self.scope = scope
        self.clients = clients
        self.requests = requests
        self.seconds = seconds
    }

    /// What tells it from others: two rules of one name are one limit, said twice.
    var name: String {
        let words = grouping == .both ? scope.description : "\(grouping.rawValue) \(scope)"
        return clients.map { "\(words) from \($0)" } ?? words
    }

    /// How much is allowed; nil for any number.
    var policy: RatePolicy? { requests > 0 ? RatePolicy(requests: requests, seconds: seconds) : nil }

    func concerns(_ client: [UInt8]?) -> Bool {
        guard let clients else { return true }
        return client.map { clients.contains($0) } ?? false
    }

    /// With what a request is counted together.
    func group(client: String, route: String) -> String {
        switch grouping {
        case .both: "\(client) \(route)"
        case .address: client
        case .route: route
        }
    }

    // MARK: JSON

    /// Reads what ``write(to:)`` wrote; nil for anything else.
    init?(_ json: JSONValue) {
        guard let grouping = json["by"]?.string.flatMap({ Grouping(rawValue: $0) }),
            let scope = json["route"]?.string.flatMap({ Scope($0) }),
            let requests = json["requests"]?.integer, Self.requestsRange.contains(requests),
            let seconds = json["per_s"]?.integer, Self.secondsRange.contains(seconds)
        else { return nil }
        var clients: AddressRange?
        if let text = json["address"]?.string {
            guard let range = AddressRange(text) else { return nil }
            clients = range
        }
        self.init(grouping, scope, clients: clients, requests: requests, seconds: seconds)
    }

    /// Its members.
    func write(to writer: inout JSONWriter) {
        writer.member("by", grouping.rawValue)
        writer.member("route", scope.description)
        writer.key("address")
        if let clients { writer.string(clients.description) } else { writer.null() }
        writer.member("requests", requests)
        writer.member("per_s", seconds)
    }

    var json: [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.object { write(to: &$0) }
        return writer.take()
    }
}

extension [RateRule] {
    /// These, with others in the place of those of the same name.
    func changed(by changes: [RateRule]) -> [RateRule] {
        let changed = Dictionary(changes.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        let names = Set(map(\.name))
        return map { changed[$0.name] ?? $0 } + changes.filter { !names.contains($0.name) }
    }
}
