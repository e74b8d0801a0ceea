/// A table that a file may repeat, each time a row with the same keys: `[providers.NAME]` or `[[proxy]]`.
///
/// Its keys are bound to the fields of a structure, one of which is made for each row; `budget.per_day` is what stands
/// in an inner table, `budget = { per_day = 25 }`.
///
///     static let table = RepeatedTable.named(
///         "providers", "Providers of prices", count: 0...32, Self(), defaults: [("yfinance", Self(kind: .yahoo))]
///     ) {
///         Key("kind", \.kind, "Whose format it speaks").required
///         Key("budget.per_day", \.callsPerDay, in: 0...1_000_000, "Calls a day; 0 for no limit")
///     }
///
///     for row in configuration[table] { row.name; row.values.kind }
///
/// A file that has the table at all says which rows there are; one that has none leaves those of `defaults`. What a row
/// does not say is as in the default row of the same name, and else at the default of the key. In the environment
/// the name, or the number of the row from 1, stands between table and key: `TICKLOOP_PROVIDERS_YFINANCE_BASE_URL`,
/// `TICKLOOP_PROXY_1_PREFIX`; it changes rows and makes none, so that a variable of a row that is not there is a fault.
public struct RepeatedTable<Row: Sendable>: Sendable {
    /// What a schema has to know of it.
    public private(set) var section: RepeatedSection
    private let initial: Row
    private let keys: [Key<Row>]

    /// A table whose rows have names.
    ///
    /// - Parameters:
    ///   - name: Of the table, which may be inside a section: `limits.rate`.
    ///   - meaning: What a row is, in one sentence without a full stop.
    ///   - count: How many rows there may be.
    ///   - row: What a row is of which nothing is said.
    ///   - defaults: The rows that are there when a file does not speak of the table.
    ///   - keys: In the order in which they are shown.
    public static func named(
        _ name: String,
        _ meaning: String,
        count: ClosedRange<Int>,
        _ row: Row,
        defaults: [(name: String, row: Row)] = [],
        @KeyList<Row> _ keys: () -> [Key<Row>]
    ) -> Self {
        Self(name, .named, meaning, count, row, defaults, keys())
    }

    /// A table whose rows stand in an order.
    ///
    /// - Parameters:
    ///   - name: Of the table, which may be inside a section: `limits.rate`.
    ///   - meaning: What a row is, in one sentence without a full stop.
    ///   - count: How many rows there may be.
    ///   - row: What a row is of which nothing is said.
    ///   - defaults: The rows that are there when a file does not speak of the table.
    ///   - keys: In the order in which they are shown.
    public static func listed(
        _ name: String,
        _ meaning: String,
        count: ClosedRange<Int>,
        _ row: Row,
        defaults: [Row] = [],
        @KeyList<Row> _ keys: () -> [Key<Row>]
    ) -> Self {
        Self(name, .listed, meaning, count, row, defaults.map { (name: "", row: $0) }, keys())
    }

    private init(
        _ name: String,
        _ style: RepeatedSection.Style,
        _ meaning: String,
        _ count: ClosedRange<Int>,
        _ row: Row,
        _ defaults: [(name: String, row: Row)],
        _ keys: [Key<Row>]
    ) {
        initial = row
        self.keys = keys
        let rows = defaults.map { row in
            let values = keys.map { ($0.name, $0.initial(row.row)) }
            return RepeatedSection.Row(name: row.name, values: Dictionary(uniqueKeysWithValues: values))
        }
        section = RepeatedSection(name, style, meaning, count, rows, keys.map { $0.entry(in: "", row) })
    }

    /// The same table with a rule for what its rows have to be together: it returns what is wrong.
    public func requiring(_ rule: @escaping @Sendable ([FilledRow<Row>]) -> [ConfigurationProblem]) -> Self {
        requiring { rows, _ in rule(rows) }
    }

    /// The same with a rule that also looks at tables that stand beside this one everywhere.
    public func requiring(
        _ rule: @escaping @Sendable ([FilledRow<Row>], Configuration) -> [ConfigurationProblem]
    ) -> Self {
        var table = self
        table.section.rules.append { [self] in rule($0[self], $0) }
        return table
    }

    /// The rows with what a configuration says.
    func filled(from rows: [ConfigurationRow]) -> [FilledRow<Row>] {
        rows.map { row in
            var values = initial
            for key in keys {
                let isTaken = row.settings[key.name].map { key.set($0.value, &values) } ?? false
                precondition(isTaken, "\(row.title) has no key \(key.name)")
            }
            return FilledRow(name: row.name, values: values, row: row)
        }
    }
}

/// What is known about a table that repeats without the type of its rows.
public struct RepeatedSection: Sendable {
    /// A row that is there when a file does not speak of the table.
    struct Row: Sendable {
        let name: String
        let values: [String: ConfigurationValue]
    }

    /// How rows are told apart.
    enum Style: Sendable {
        /// By a name of lower-case letters, digits, `_` and `-`: `[providers.NAME]`.
        case named
        /// By their order: `[[proxy]]`.
        case listed
    }

    /// The name of the table, which may be one inside a section: `limits.rate`.
    public let name: String
    /// What a row is, in one sentence without a full stop.
    let meaning: String
    /// The keys of a row, in the order in which they are shown.
    let entries: [ConfigurationEntry]
    let style: Style
    let count: ClosedRange<Int>
    let defaults: [Row]
    /// What rows have to be together, and with other tables.
    var rules: [ConfigurationRule] = []

    fileprivate init(
        _ name: String,
        _ style: Style,
        _ meaning: String,
        _ count: ClosedRange<Int>,
        _ defaults: [Row],
        _ entries: [ConfigurationEntry]
    ) {
        precondition(
            (1...2).contains(name.split(separator: ".").count),
            "\(name) is not of the form name or section.name"
        )
        precondition(Set(entries.map(\.path)).count == entries.count, "a key of \(name) is listed twice")
        precondition(count.contains(defaults.count), "\(name): \(defaults.count) rows are too many or too few")
        for row in defaults {
            precondition((style == .named) == Self.isName(row.name), "\(name): \(row.name) cannot be the name of a row")
            let paths = Set(entries.map(\.path))
            precondition(paths.isSuperset(of: row.values.keys), "\(name): a key of a row is none of the table's")
        }
        self.name = name
        self.style = style
        self.meaning = meaning
        self.count = count
        self.defaults = defaults
        self.entries = entries
    }

    static let nameForm = "1 to 32 characters of a-z 0-9 _ -"

    /// Whether a row may have this name.
    static func isName(_ text: String) -> Bool {
        (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
                    UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// The names that lead to the table.
    var path: [String] { name.split(separator: ".").map(String.init) }

    /// How a row is called in messages: `providers.yfinance`, `proxy[1]`.
    func title(ofRow row: String) -> String { style == .named ? "\(name).\(row)" : "\(name)[\(row)]" }

    /// The header of a row in a file.
    func header(ofRow row: String) -> String { style == .named ? "[\(name).\(row)]" : "[[\(name)]]" }

    /// What the variables of a row in the environment begin with.
    func variablePrefix(ofRow row: String) -> String {
        "TICKLOOP_\(name)_\(row)_".uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 }.reduce(into: "") {
            $0.append($1)
        }
    }

    /// The row and the key that a variable names, whether or not there is such a row; nil if it names none.
    func place(of variable: String) -> (row: String, entry: ConfigurationEntry)? {
        let start = variablePrefix(ofRow: "").dropLast()
        guard variable.hasPrefix(start) else { return nil }
        let rest = variable.dropFirst(start.count)
        // The longest: CONNECT_TIMEOUT_MS is no TIMEOUT_MS of a row with a longer name.
        let fitting = entries.filter { rest.hasSuffix("_\($0.variableSuffix)") }
        guard let entry = fitting.max(by: { $0.variableSuffix.utf8.count < $1.variableSuffix.utf8.count }) else {
            return nil
        }
        let row = rest.dropLast(entry.variableSuffix.count + 1).lowercased()
        return (style == .named ? Self.isName(row) : Int(row) != nil) ? (row, entry) : nil
    }

    /// The values of a row of which nothing is said.
    func defaultValues(ofRow row: String) -> [String: ConfigurationValue] {
        let own = style == .named ? defaults.first { $0.name == row }?.values ?? [:] : [:]
        return Dictionary(uniqueKeysWithValues: entries.map { ($0.path, own[$0.path] ?? $0.defaultValue) })
    }
}

/// One row of a ``RepeatedTable``, checked.
public struct FilledRow<Row: Sendable>: Sendable {
    /// Its name; in a table without names its number, from 1.
    public let name: String
    /// What the keys say.
    public let values: Row
    fileprivate let row: ConfigurationRow

    /// What is wrong with the value of a key only together with others, said with the place where it stands.
    ///
    /// - Parameters:
    ///   - key: Its path in the row: `budget.per_day`.
    ///   - complaint: The rest of the sentence that the key begins.
    public func problem(with key: String, _ complaint: String) -> ConfigurationProblem {
        row.problem(with: key, complaint)
    }
}

/// One row, its values not yet in the fields of a structure.
struct ConfigurationRow: Sendable {
    /// Its name; in a table without names its number, from 1.
    let name: String
    let title: String
    let source: Configuration.Source
    var settings: [String: Configuration.Setting]

    func problem(with key: String, _ complaint: String) -> ConfigurationProblem {
        var source = settings[key]?.source ?? source
        if source == .builtIn { source = self.source }
        return ConfigurationProblem(place: source.place, key: "\(title).\(key)", complaint: complaint)
    }
}
