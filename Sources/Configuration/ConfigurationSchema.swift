/// The keys that belong together in one table of a file.
public struct ConfigurationSection: Sendable {
    /// The name of the table.
    public let name: String
    /// What the table is about, in one sentence without a full stop.
    public let meaning: String
    /// The keys, in the order in which they are shown.
    public let entries: [ConfigurationEntry]

    /// Joins keys of any types; all must be of the section that is named.
    public init<each Value>(_ name: String, _ meaning: String, _ keys: repeat ConfigurationKey<each Value>) {
        var entries: [ConfigurationEntry] = []
        for key in repeat each keys {
            precondition(key.entry.section == name, "\(key.entry.path) is not of the section \(name)")
            entries.append(key.entry)
        }
        self.name = name
        self.meaning = meaning
        self.entries = entries
    }
}

/// All that one service can be told.
public struct ConfigurationSchema: Sendable {
    /// The name of the service, which is also that of its file: `etc/SERVICE.toml`.
    public let service: String
    /// The tables, in the order in which they are shown.
    public let sections: [ConfigurationSection]

    private let entriesByPath: [String: ConfigurationEntry]

    /// - Parameter sections: Tables whose names differ, with keys that differ.
    public init(service: String, _ sections: [ConfigurationSection]) {
        precondition(Set(sections.map(\.name)).count == sections.count, "a section of \(service) is listed twice")
        self.service = service
        self.sections = sections
        entriesByPath = Dictionary(
            sections.flatMap(\.entries).map { ($0.path, $0) },
            uniquingKeysWith: { one, _ in preconditionFailure("\(one.path) of \(service) is listed twice") }
        )
    }

    /// Every key, in order.
    public var entries: [ConfigurationEntry] { sections.flatMap(\.entries) }

    func entry(at path: String) -> ConfigurationEntry? { entriesByPath[path] }
}
