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
        return text
    }
}
