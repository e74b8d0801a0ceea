/// The keys that belong together in one table of a file.
public struct ConfigurationSection: Sendable {
    /// The name of the table.
    public let name: String
    /// What the table is about, in one sentence without a full stop.
    let meaning: String
    /// The keys, in the order in which they are shown.
    let entries: [ConfigurationEntry]
    /// What their values have to be together, and with those of other tables.
    var rules: [ConfigurationRule]

    init(_ name: String, _ meaning: String, _ entries: [ConfigurationEntry], rules: [ConfigurationRule] = []) {
        self.name = name
        self.meaning = meaning
        self.entries = entries
        self.rules = rules
    }
}

/// All that one service can be told.
public struct ConfigurationSchema: Sendable {
    /// The name of the service, which is also that of its file: `etc/SERVICE.toml`.
    public let service: String
    /// The tables, in the order in which they are shown.
    public let sections: [ConfigurationSection]
    /// The tables that repeat, which are shown after the others.
    public let tables: [RepeatedSection]

    /// - Parameters:
    ///   - sections: Tables with keys that differ. Those of one name, which several modules have keys in, are one
    ///     table, which means what the first of them says.
    ///   - tables: Tables that repeat, whose names differ from those of the others.
    public init(service: String, _ sections: [ConfigurationSection], tables: [RepeatedSection] = []) {
        var joined: [ConfigurationSection] = []
        for section in sections {
            if let place = joined.firstIndex(where: { $0.name == section.name }) {
                let first = joined[place]
                joined[place] = ConfigurationSection(
                    first.name,
                    first.meaning,
                    first.entries + section.entries,
                    rules: first.rules + section.rules
                )
            } else {
                joined.append(section)
            }
        }
        let sections = joined
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

    /// What values have to be together.
    var rules: [ConfigurationRule] { sections.flatMap(\.rules) + tables.flatMap(\.rules) }
}

extension ConfigurationSchema: CustomStringConvertible {
    /// The name of the service.
    public var description: String { service }
}
