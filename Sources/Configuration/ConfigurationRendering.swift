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
        return sections.joined(separator: "\n")
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
        return text
    }

    /// A table in Markdown, a row for each key.
    public var markdownTable: String {
        let rows = entries.map { entry in
            "| `\(entry.path)` | `\(entry.defaultValue)` | \(entry.range) | \(entry.meaning) |\n"
        }
        return "| key | default | range | meaning |\n|---|---|---|---|\n" + rows.joined()
    }
}
