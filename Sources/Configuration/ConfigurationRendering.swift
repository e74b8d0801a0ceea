extension Configuration {
    /// The effective values as TOML, with a comment that says where each comes from, and without secrets.
    public var shown: String {
        let sections = schema.sections.map { section in
            let lines = section.entries.map { entry in
                let setting = setting(entry.path)
                return ("\(entry.name) = \(entry.shown(setting.value))", "# \(setting.source)")
            }
            return "[\(section.name)]\n" + Self.inTwoColumns(lines)
        }
        let rows = schema.tables.flatMap { table in
            self.rows(of: table).map { row in
                let lines = table.entries.compactMap { entry in
                    row.settings[entry.path].map { ("\(entry.path) = \(entry.shown($0.value))", "# \($0.source)") }
                }
                return table.header(ofRow: row.name) + "\n" + Self.inTwoColumns(lines)
            }
        }
        return (sections + rows).joined(separator: "\n")
    }

    private static func inTwoColumns(_ lines: [(String, String)]) -> String {
        let width = lines.map(\.0.count).max() ?? 0
        return lines.map { $0 + String(repeating: " ", count: width - $0.count) + "  \($1)\n" }.joined()
    }
}

extension Configuration.Source: CustomStringConvertible {
    /// `default`, `FILE:LINE` or the name of a variable.
    public var description: String {
        switch self {
        case .builtIn: "default"
        case .file(let file, line: let line?): "\(file):\(line)"
        case .file(let file, line: nil): file
        case .environment(let variable): variable
        }
    }
}

extension ConfigurationSchema {
    /// A file with every key at its default and a comment above each: what `etc/` holds.
    public var template: String {
        var text = """
            # The settings of `tickloop \(service)`, all at their defaults. Any of them can be overridden in the
            # environment: TICKLOOP_SECTION_KEY, for example \(entries.first?.variable ?? "").

            """
        for section in sections {
            text += "\n# \(section.meaning).\n[\(section.name)]\n"
            for entry in section.entries {
                text += "# \(entry.meaning) (\(entry.range)).\n\(entry.name) = \(entry.defaultValue)\n"
            }
        }
        return text + tables.map(\.template).joined()
    }

    /// A table in Markdown of all keys that some services know, a row for each.
    ///
    /// - Parameter services: Whose keys of the same name mean the same; the last column says which have one, and the
    ///   second where defaults differ.
    public static func markdownTable(of services: [ConfigurationSchema]) -> String {
        var text = "| key | default | range | meaning | in |\n|---|---|---|---|---|\n"
        var written: Set<String> = []
        for entry in services.flatMap(\.entries) where written.insert(entry.path).inserted {
            let owners = services.compactMap { service in
                service.entries.first { $0.path == entry.path }.map { (service: service.service, entry: $0) }
            }
            let isSame = owners.allSatisfy { $0.entry.defaultValue == entry.defaultValue }
            let defaults =
                isSame
                ? "`\(entry.defaultValue)`"
                : owners.map { "\($0.service) `\($0.entry.defaultValue)`" }.joined(separator: ", ")
            let places = owners.count == services.count ? "all" : owners.map(\.service).joined(separator: ", ")
            text += "| `\(entry.path)` | \(defaults) | \(entry.range) | \(entry.meaning) | \(places) |\n"
        }
        for table in services.flatMap(\.tables) where written.insert(table.name).inserted {
            let owners = services.filter { $0.tables.contains { $0.name == table.name } }.map(\.service)
            let places = owners.count == services.count ? "all" : owners.joined(separator: ", ")
            for entry in table.entries {
                let value = entry.isRequired ? "none" : "`\(entry.defaultValue)`"
                let key = table.style == .named ? "\(table.name).NAME.\(entry.path)" : "\(table.name)[].\(entry.path)"
                text += "| `\(key)` | \(value) | \(entry.range) | \(entry.meaning) | \(places) |\n"
            }
        }
        return text
    }
}

extension RepeatedSection {
    /// The default rows: the first with a comment above each key, the others with what they do not leave at the
    /// default of its key. Where there are none, all is a comment.
    fileprivate var template: String {
        let plural = style == .named ? "a table [\(name).NAME] for each" : "a table [[\(name)]] for each"
        var text = "\n# \(meaning): \(plural).\n"
        let rows = defaultRows
        guard let first = rows.first else {
            text += "# \(header(ofRow: "NAME"))\n"
            for entry in entries { text += "# \(entry.meaning) (\(entry.range)).\n# \(entry.assignment(nil))\n" }
            return text
        }
        for row in rows {
            let isFirst = row.name == first.name
            text += "\(isFirst ? "" : "\n")\(header(ofRow: row.name))\n"
            for entry in entries {
                guard let value = row.settings[entry.path]?.value else { continue }
                if isFirst {
                    text += "# \(entry.meaning) (\(entry.range)).\n\(entry.assignment(value))\n"
                } else if entry.isRequired || value != entry.defaultValue {
                    text += "\(entry.assignment(value))\n"
                }
            }
        }
        return text
    }
}

extension ConfigurationEntry {
    fileprivate func assignment(_ value: ConfigurationValue?) -> String { "\(path) = \(value ?? defaultValue)" }
}
