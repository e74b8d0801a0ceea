/// A table of a file and the structure that its keys fill.
///
///     static let table = ConfigurationTable("database", "PostgreSQL", Self()) {
///         Key("port", \.port, in: 1...65_535, "Port of the server")
///         Key("name", \.name, length: 1...63, "Database to connect to")
///     }
///
///     configuration[DatabaseSettings.table].port
public struct ConfigurationTable<Root: Sendable>: Sendable {
    /// What a schema has to know of it.
    public private(set) var section: ConfigurationSection
    private let defaults: Root
    private let keys: [Key<Root>]

    /// Binds keys to a structure. A default that its own key would refuse stops the process.
    ///
    /// - Parameters:
    ///   - name: One word, so that every key has an environment variable of its own.
    ///   - meaning: What the table is about, in one sentence without a full stop.
    ///   - defaults: What the keys are when nobody says otherwise.
    ///   - keys: In the order in which they are shown.
    public init(_ name: String, _ meaning: String, _ defaults: Root, @KeyList<Root> _ keys: () -> [Key<Root>]) {
        self.init(name, meaning, defaults, keys(), [])
    }

    private init(
        _ name: String,
        _ meaning: String,
        _ defaults: Root,
        _ keys: [Key<Root>],
        _ rules: [ConfigurationRule]
    ) {
        precondition(!name.contains("_"), "\(name): a section is one word")
        self.defaults = defaults
        self.keys = keys
        section = ConfigurationSection(name, meaning, keys.map { $0.entry(in: name, defaults) }, rules: rules)
    }

    /// The same table with a rule for what its values have to be together, and with those of tables that stand beside
    /// it everywhere: it returns what is wrong.
    ///
    ///     .requiring { answers, configuration in
    ///         guard answers.allowsCredentials, answers.origins.contains("*") else { return [] }
    ///         return [configuration.problem(with: "answers.cors_credentials", "is not for every origin")]
    ///     }
    public func requiring(_ rule: @escaping @Sendable (Root, Configuration) -> [ConfigurationProblem]) -> Self {
        var table = self
        table.section.rules.append { [self] in rule(filled(from: $0), $0) }
        return table
    }

    /// The same table with other defaults, for a service that differs from the others.
    public func defaulting(_ change: (inout Root) -> Void) -> Self {
        var defaults = defaults
        change(&defaults)
        return Self(section.name, section.meaning, defaults, keys, section.rules)
    }

    /// The structure with what a configuration says in every field that has a key.
    func filled(from configuration: Configuration) -> Root {
        var root = defaults
        for key in keys {
            let path = "\(section.name).\(key.name)"
            let isTaken = key.set(configuration.setting(path).value, &root)
            precondition(isTaken, "\(path) is declared in two ways")
        }
        return root
    }
}

/// Lists keys one a line. One at a time is also how the compiler then finds their types, in a hundredth of the time.
@resultBuilder
public enum KeyList<Root: Sendable> {
    /// A key of the table's structure.
    public static func buildExpression(_ key: Key<Root>) -> Key<Root> { key }

    /// All of them.
    public static func buildBlock(_ keys: Key<Root>...) -> [Key<Root>] { keys }
}
