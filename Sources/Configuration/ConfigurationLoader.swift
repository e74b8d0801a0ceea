internal import TOMLKit

/// Gathers the values of a schema from their sources, and whatever is wrong with them.
struct ConfigurationLoader {
    let schema: ConfigurationSchema
    private var settings: [String: Configuration.Setting]
    var rows: [String: [ConfigurationRow]]
    /// Keys that rows of the file must say and do not, until the environment has been heard.
    var incomplete: [(table: String, row: String, path: String)] = []
    var problems: [ConfigurationProblem] = []

    init(schema: ConfigurationSchema) {
        self.schema = schema
        settings = Dictionary(
            uniqueKeysWithValues: schema.entries.map {
                ($0.path, Configuration.Setting(value: $0.defaultValue, source: .builtIn))
            }
        )
        rows = Dictionary(uniqueKeysWithValues: schema.tables.map { ($0.name, $0.defaultRows) })
    }

    /// The configuration, if nothing was wrong.
    consuming func finish() throws(ConfigurationProblems) -> Configuration {
        guard problems.isEmpty else { throw ConfigurationProblems(problems: problems) }
        let configuration = Configuration(schema: schema, settings: settings, rows: rows)
        // Only now, since a rule looks at values that are right by themselves.
        let broken = schema.rules.flatMap { $0(configuration) }
        guard broken.isEmpty else { throw ConfigurationProblems(problems: broken) }
        return configuration
    }

    // MARK: - Environment

    /// Lets the variables of the schema's keys override what came before.
    mutating func take(environment: [String: String]) {
        for entry in schema.entries.sorted(by: { $0.variable < $1.variable }) {
            guard let setting = setting(of: entry, entry.path, entry.variable, environment) else { continue }
            settings[entry.path] = setting
        }
        finishTables(environment: environment)
    }

    /// What a variable says, if it is there and right; if it is wrong, that is noted.
    mutating func setting(
        of entry: ConfigurationEntry,
        _ key: String,
        _ variable: String,
        _ environment: [String: String]
    ) -> Configuration.Setting? {
        guard let text = environment[variable] else { return nil }
        let value = ConfigurationValue(text: text, kind: entry.kind)
        guard let value, entry.accepts(value) else {
            let complaint = entry.complaint(about: ConfigurationValue.string(text).description, value)
            let place = ConfigurationProblem.Place.environment(variable: variable)
            problems.append(ConfigurationProblem(place: place, key: key, complaint: complaint))
            return nil
        }
        return Configuration.Setting(value: value, source: .environment(variable: variable))
    }

    // MARK: - File

    /// Lets the keys of a TOML text override the defaults.
    mutating func take(text: String, file: String) {
        // toml++ is handed a C string, and would not see what follows a zero byte.
        if let line = text.lineOfFirstZeroByte {
            return problems.append(
                ConfigurationProblem(place: .file(file, line: line), key: nil, complaint: "a zero byte is not TOML")
            )
        }
        let root: TOMLTable
        do {
            root = try TOMLTable(string: text)
        } catch {
            return problems.append(Self.syntaxProblem(error, file: file))
        }
        let places = Places(file: file, lines: TOMLKeyLines(of: text))
        let known = problems.count
        for (name, value) in root { take(section: name, value.tomlValue, places) }
        problems[known...].sort { $0.lineOrder < $1.lineOrder }
    }

    private mutating func take(section name: String, _ value: TOMLValue, _ places: Places) {
        if let table = schema.tables.first(where: { $0.name == name }) { return take(table, value, places) }
        let inner = schema.tables.filter { $0.path.count == 2 && $0.path[0] == name }
        guard let section = schema.sections.first(where: { $0.name == name }) else {
            let names = schema.sections.map(\.name) + schema.tables.map { $0.path[0] }
            return report([name], "is not a section of \(schema.service)" + suggestion(for: name, in: names), places)
        }
        guard let table = value.table else {
            return report([name], "must be a table, as in [\(name)], not a value of type \(value.type)", places)
        }
        for (key, value) in table {
            let path = [name, key]
            if let table = inner.first(where: { $0.path[1] == key }) {
                take(table, value.tomlValue, places)
                continue
            }
            guard let entry = section.entries.first(where: { $0.name == key }) else {
                let names = section.entries.map(\.name) + inner.map { $0.path[1] }
                report(path, "is not a key" + suggestion(for: key, in: names), places)
                continue
            }
            if let setting = setting(value.tomlValue, for: entry, path, places) { settings[entry.path] = setting }
        }
    }

    /// What a file says, if it is right; if it is wrong, that is noted.
    mutating func setting(
        _ found: TOMLValue,
        for entry: ConfigurationEntry,
        _ path: [String],
        _ places: Places
    ) -> Configuration.Setting? {
        guard let value = ConfigurationValue(found, kind: entry.kind) else {
            report(path, entry.complaint(about: found.shownType), places)
            return nil
        }
        guard entry.accepts(value) else {
            report(path, entry.complaint(about: value.description, value), places)
            return nil
        }
        return Configuration.Setting(value: value, source: .file(places.file, line: places.lines[path]))
    }

    mutating func report(_ path: [String], _ complaint: String, _ places: Places) {
        problems.append(
            ConfigurationProblem(
                place: .file(places.file, line: places.lines[path]),
                key: TOMLKeyLines.title(path),
                complaint: complaint
            )
        )
    }

    func suggestion(for word: String, in words: [String]) -> String {
        guard let near = word.nearest(in: words) else { return "" }
        return "; did you mean \(near)?"
    }

    private static func syntaxProblem(_ error: any Error, file: String) -> ConfigurationProblem {
        guard let error = error as? TOMLParseError else {
            return ConfigurationProblem(place: .file(file, line: nil), key: nil, complaint: "is not TOML")
        }
        let start = error.source.begin
        return ConfigurationProblem(
            place: .file(file, line: start.line),
            key: nil,
            complaint: "\(error.description) (column \(start.column))"
        )
    }

    /// A file and where its keys stand.
    struct Places {
        let file: String
        let lines: TOMLKeyLines
    }
}

extension ConfigurationValue {
    /// Takes a value of the type that a key wants; a whole number serves where a number is wanted.
    fileprivate init?(_ found: TOMLValue, kind: Kind) {
        switch (kind, found.type) {
        case (.integer, .int): self = .integer(found.int ?? 0)
        case (.number, .int): self = .number(Double(found.int ?? 0))
        case (.number, .double): self = .number(found.double ?? .nan)
        case (.boolean, .bool): self = .boolean(found.bool ?? false)
        case (.string, .string): self = .string(found.string ?? "")
        case (.map, .table):
            var pairs: [String: String] = [:]
            for (name, value) in found.table ?? TOMLTable() {
                guard let text = value.tomlValue.string else { return nil }
                pairs[name] = text
            }
            self = .map(pairs)
        case (.strings, .array):
            let texts = (found.array ?? []).map { $0.tomlValue.string }
            guard !texts.contains(nil) else { return nil }
            self = .strings(texts.compactMap(\.self))
        default: return nil
        }
    }
}

extension ConfigurationValue {
    /// Reads the inline table that an environment variable holds: `{ "BRK-B" = "BRK.B" }`.
    init?(inlineTable text: String) {
        guard text.allSatisfy({ !$0.isNewline }), text.lineOfFirstZeroByte == nil,
            let table = try? TOMLTable(string: "map = \(text)"), table.count == 1, let found = table["map"]
        else { return nil }
        self.init(found.tomlValue, kind: .map)
    }
}

extension TOMLValue {
    /// What was found in place of a value of the right type.
    fileprivate var shownType: String {
        switch type {
        case .string: "the text \(ConfigurationValue.string(string ?? ""))"
        case .int, .double, .bool: debugDescription
        case .array: "a list"
        case .table: "a table"
        case .date, .time, .dateTime: "a \(type)"
        }
    }
}

extension ConfigurationProblem {
    /// By line, and those without a line last.
    fileprivate var lineOrder: Int {
        if case .file(_, line: let line?) = place { line } else { .max }
    }
}

extension String {
    fileprivate var lineOfFirstZeroByte: Int? {
        guard let end = utf8.firstIndex(of: 0) else { return nil }
        return utf8[..<end].count { $0 == UInt8(ascii: "\n") } + 1
    }

    /// The word of a list that this one was probably meant to be: at most so many letters added, dropped or changed.
    func nearest(in words: [String], edits limit: Int = 2) -> String? {
        words.map { (word: $0, edits: editDistance(to: $0)) }.filter { $0.edits <= limit }
            .min { $0.edits < $1.edits }?.word
    }

    /// Levenshtein's distance.
    private func editDistance(to other: String) -> Int {
        var row = Array(0...other.utf8.count)
        for (index, byte) in utf8.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, otherByte) in other.utf8.enumerated() {
                let substitution = diagonal + (byte == otherByte ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = Swift.min(substitution, diagonal + 1, row[column] + 1)
            }
        }
        return row[other.utf8.count]
    }
}
