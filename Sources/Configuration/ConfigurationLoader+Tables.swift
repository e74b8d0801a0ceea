internal import TOMLKit

extension ConfigurationLoader {
    /// Takes the rows of a table that repeats, in place of its default rows.
    mutating func take(_ table: RepeatedSection, _ found: TOMLValue, _ places: Places) {
        var rows: [ConfigurationRow] = []
        let foundCount: Int
        switch table.style {
        case .named:
            guard let named = found.table else {
                return report(table.path, "must be tables, as in [\(table.name).NAME]", places)
            }
            foundCount = named.count
            for (name, value) in named {
                let path = table.path + [name]
                guard RepeatedSection.isName(name) else {
                    report(path, "is not a name of \(RepeatedSection.nameForm)", places)
                    continue
                }
                guard let content = value.tomlValue.table else {
                    report(path, "must be a table, as in [\(table.name).\(name)]", places)
                    continue
                }
                rows.append(row(of: table, name, content, path, places))
            }
            rows.sort { (places.lines[table.path + [$0.name]] ?? 0) < (places.lines[table.path + [$1.name]] ?? 0) }
            noteSameVariables(table, rows, places)
        case .listed:
            guard let listed = found.array, listed.allSatisfy({ $0.tomlValue.table != nil }) else {
                return report(table.path, "must be tables, as in [[\(table.name)]]", places)
            }
            foundCount = listed.count
            for (index, value) in listed.enumerated() {
                guard let content = value.tomlValue.table else { continue }
                let path = table.path + [TOMLKeyLines.index(index)]
                rows.append(row(of: table, String(index + 1), content, path, places))
            }
        }
        if !table.count.contains(foundCount) {
            let (least, most) = (table.count.lowerBound, table.count.upperBound)
            report(table.path, "must be \(least) to \(most) tables, not \(foundCount)", places)
        }
        self.rows[table.name] = rows
    }

    private mutating func row(
        of table: RepeatedSection,
        _ name: String,
        _ content: TOMLTable,
        _ path: [String],
        _ places: Places
    ) -> ConfigurationRow {
        let title = table.title(ofRow: name)
        var settings = table.defaultSettings(ofRow: name)
        var missing = Set(table.entries.filter { $0.isRequired && table.isUnsaid($0, inRow: name) }.map(\.path))
        for (key, value) in content {
            if let entry = table.entries.first(where: { $0.path == key }) {
                missing.remove(entry.path)
                if let setting = setting(value.tomlValue, for: entry, path + [key], places) {
                    settings[entry.path] = setting
                }
            } else if let inner = value.tomlValue.table, table.entries.contains(where: { $0.section == key }) {
                for (innerKey, innerValue) in inner {
                    let innerPath = path + [key, innerKey]
                    guard let entry = table.entries.first(where: { $0.path == "\(key).\(innerKey)" }) else {
                        let names = table.entries.filter { $0.section == key }.map(\.name)
                        report(innerPath, "is not a key" + suggestion(for: innerKey, in: names), places)
                        continue
                    }
                    missing.remove(entry.path)
                    if let setting = setting(innerValue.tomlValue, for: entry, innerPath, places) {
                        settings[entry.path] = setting
                    }
                }
            } else if table.entries.contains(where: { $0.section == key }) {
                report(path + [key], "must be a table, as in \(key) = { … }", places)
            } else {
                let names = table.entries.map { $0.section.isEmpty ? $0.name : $0.section }
                report(path + [key], "is not a key" + suggestion(for: key, in: names), places)
            }
        }
        for path in missing.sorted() { incomplete.append((table.name, name, path)) }
        return ConfigurationRow(
            name: name,
            title: title,
            source: .file(places.file, line: places.lines[path]),
            settings: settings
        )
    }

    /// Two rows that the environment cannot tell apart are a mistake in waiting.
    private mutating func noteSameVariables(_ table: RepeatedSection, _ rows: [ConfigurationRow], _ places: Places) {
        var seen: [String: String] = [:]
        for row in rows {
            let prefix = table.variablePrefix(ofRow: row.name)
            if let other = seen[prefix] {
                report(table.path + [row.name], "is the same as \(other) in the environment, \(prefix)…", places)
            }
            seen[prefix] = row.name
        }
    }

    /// Lets the variables of the rows' keys override what came before, and says which keys are still missing.
    mutating func finishTables(environment: [String: String]) {
        for table in schema.tables {
            for index in rows[table.name, default: []].indices {
                guard var row = rows[table.name]?[index] else { continue }
                let prefix = table.variablePrefix(ofRow: row.name)
                for entry in table.entries.sorted(by: { $0.path < $1.path }) {
                    let variable = prefix + entry.variableSuffix
                    let key = "\(row.title).\(entry.path)"
                    guard let setting = setting(of: entry, key, variable, environment) else { continue }
                    row.settings[entry.path] = setting
                    incomplete.removeAll { $0 == (table.name, row.name, entry.path) }
                }
                rows[table.name]?[index] = row
            }
        }
        noteRowsThatAreNotThere(environment)
        for (table, name, path) in incomplete {
            guard let row = rows[table]?.first(where: { $0.name == name }) else { continue }
            guard case .file(let file, let line) = row.source else { continue }
            let place = ConfigurationProblem.Place.file(file, line: line)
            problems.append(ConfigurationProblem(place: place, key: "\(row.title).\(path)", complaint: "is required"))
        }
    }
}

extension ConfigurationLoader {
    /// The environment changes rows and makes none, so a variable of a row that is not there would do nothing.
    private mutating func noteRowsThatAreNotThere(_ environment: [String: String]) {
        var known = Set(schema.entries.map(\.variable))
        for table in schema.tables {
            for row in rows[table.name, default: []] {
                known.formUnion(table.entries.map { table.variablePrefix(ofRow: row.name) + $0.variableSuffix })
            }
        }
        let others = environment.keys.filter { $0.hasPrefix("TICKLOOP_") && !known.contains($0) }.sorted()
        for table in schema.tables {
            for variable in others {
                guard let (row, entry) = table.place(of: variable) else { continue }
                problems.append(
                    ConfigurationProblem(
                        place: .environment(variable: variable),
                        key: "\(table.title(ofRow: row)).\(entry.path)",
                        complaint: "is of a row that is not there, and the environment adds none"
                    )
                )
            }
        }
    }
}

extension RepeatedSection {
    /// The rows of a configuration that does not speak of the table.
    var defaultRows: [ConfigurationRow] {
        defaults.enumerated().map { index, row in
            let name = style == .named ? row.name : String(index + 1)
            var settings = defaultSettings(ofRow: name)
            for (path, value) in row.values { settings[path] = Configuration.Setting(value: value, source: .builtIn) }
            return ConfigurationRow(name: name, title: title(ofRow: name), source: .builtIn, settings: settings)
        }
    }

    fileprivate func defaultSettings(ofRow row: String) -> [String: Configuration.Setting] {
        defaultValues(ofRow: row).mapValues { Configuration.Setting(value: $0, source: .builtIn) }
    }

    /// Whether no default row has a value for a key of a row.
    fileprivate func isUnsaid(_ entry: ConfigurationEntry, inRow row: String) -> Bool {
        style == .listed || defaults.first { $0.name == row }?.values[entry.path] == nil
    }
}
