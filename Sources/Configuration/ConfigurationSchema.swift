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
    /// The tables that repeat, which are shown after the others.
    public let tables: [RepeatedTable]

    /// - Parameters:
    ///   - sections: Tables whose names differ, with keys that differ.
    ///   - tables: Tables that repeat, whose names differ from those of the others.
    public init(service: String, _ sections: [ConfigurationSection], tables: [RepeatedTable] = []) {
        precondition(Set(sections.map(\.name)).count == sections.count, "a section of \(service) is listed twice")
        let paths = sections.flatMap(\.entries).map(\.path)
        precondition(Set(paths).count == paths.count, "a key of \(service) is listed twice")
        let names = sections.flatMap(\.entries).map(\.path) + sections.map(\.name) + tables.map(\.name)
        precondition(Set(names).count == names.count, "a table of \(service) is listed twice")
        self.service = service
        self.sections = sections
        self.tables = tables
    }

    /// Every key, in order, but those of tables that repeat.
    public var entries: [ConfigurationEntry] { sections.flatMap(\.entries) }
}

extension ConfigurationSchema: CustomStringConvertible {
    /// The name of the service.
    public var description: String { service }
}
