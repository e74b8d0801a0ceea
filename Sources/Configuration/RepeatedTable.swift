/// A table that a file may repeat, each time a row with the same keys: `[providers.NAME]` or `[[proxy]]`.
///
/// Its keys are declared as ``ConfigurationKey``s whose paths are relative to the row: `base_url`, and `budget.per_day`
/// for what stands in an inner table, `budget = { per_day = 25 }`.
///
///     static let table = RepeatedTable.named(
///         "providers", "Providers of prices", count: 0...32, defaults: [.init("yfinance", kind)], kind, baseURL)
///
///     for row in configuration[table] { row.name; row[baseURL] }
///
/// A file that has the table at all says which rows there are; one that has none leaves those of `defaults`. What a row
/// does not say is as in the default row of the same name, and else at the default of the key. In the environment
/// the name, or the number of the row from 1, stands between table and key: `TICKLOOP_PROVIDERS_YFINANCE_BASE_URL`,
/// `TICKLOOP_PROXY_1_PREFIX`; it changes rows and makes none.
public struct RepeatedTable: Sendable {
    /// How rows are told apart.
    enum Style: Sendable {
        /// By a name of lower-case letters, digits, `_` and `-`: `[providers.NAME]`.
        case named
        /// By their order: `[[proxy]]`.
        case listed
    }

    /// A row that is there when a file does not speak of the table.
    public struct Row: Sendable {
        let name: String
        let values: [String: ConfigurationValue]

        /// A row of a table whose rows have no names.
        public init<each Value>(_ keys: repeat ConfigurationKey<each Value>) {
            self.init("", repeat each keys)
        }

        /// - Parameters:
        ///   - name: The name of the row.
        ///   - keys: Keys of the table; each with the default that it has in this row.
        public init<each Value>(_ name: String, _ keys: repeat ConfigurationKey<each Value>) {
            var values: [String: ConfigurationValue] = [:]
            for key in repeat each keys { values[key.entry.path] = key.entry.defaultValue }
            self.name = name
            self.values = values
        }
    }

    /// The name of the table, which may be one inside a section: `limits.rate`.
    public let name: String
    /// What a row is, in one sentence without a full stop.
    public let meaning: String
    /// The keys of a row, in the order in which they are shown.
    public let entries: [ConfigurationEntry]
    let style: Style
    let count: ClosedRange<Int>
    let defaults: [Row]

    /// A table whose rows have names.
    public static func named<each Value>(
        _ name: String,
        _ meaning: String,
        count: ClosedRange<Int>,
        defaults: [Row] = [],
        _ keys: repeat ConfigurationKey<each Value>
    ) -> RepeatedTable {
        var entries: [ConfigurationEntry] = []
        for key in repeat each keys { entries.append(key.entry) }
        return RepeatedTable(name, .named, meaning, count, defaults, entries)
    }

    /// A table whose rows stand in an order.
    public static func listed<each Value>(
        _ name: String,
        _ meaning: String,
        count: ClosedRange<Int>,
        defaults: [Row] = [],
        _ keys: repeat ConfigurationKey<each Value>
    ) -> RepeatedTable {
        var entries: [ConfigurationEntry] = []
        for key in repeat each keys { entries.append(key.entry) }
        return RepeatedTable(name, .listed, meaning, count, defaults, entries)
    }

    private init(
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

    /// The values of a row of which nothing is said.
    func defaultValues(ofRow row: String) -> [String: ConfigurationValue] {
        let own = style == .named ? defaults.first { $0.name == row }?.values ?? [:] : [:]
        return Dictionary(uniqueKeysWithValues: entries.map { ($0.path, own[$0.path] ?? $0.defaultValue) })
    }
}

/// One row of a ``RepeatedTable``, checked.
public struct ConfigurationRow: Sendable {
    /// Its name; in a table without names its number, from 1.
    public let name: String
    let title: String
    let source: Configuration.Source
    var settings: [String: Configuration.Setting]

    /// The value of a key of the table; another key stops the process.
    public subscript<Value>(key: ConfigurationKey<Value>) -> Value {
        guard let setting = settings[key.entry.path], let value = key.read(setting.value) else {
            preconditionFailure("\(title) has no key \(key.entry.path)")
        }
        return value
    }

    /// What is wrong with the value of a key only together with others, said with the place where it stands.
    ///
    /// - Parameter complaint: The rest of the sentence that the key begins.
    public func problem<Value>(with key: ConfigurationKey<Value>, _ complaint: String) -> ConfigurationProblem {
        var source = settings[key.entry.path]?.source ?? source
        if source == .builtIn { source = self.source }
        let place: ConfigurationProblem.Place =
            switch source {
            case .builtIn: .file("the defaults", line: nil)
            case .file(let file, let line): .file(file, line: line)
            case .environment(let variable): .environment(variable: variable)
            }
        return ConfigurationProblem(place: place, key: "\(title).\(key.entry.path)", complaint: complaint)
    }
}
