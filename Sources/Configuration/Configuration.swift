internal import Basics

/// The settings of one service: its defaults, overridden by its file, overridden by the environment.
///
///     let configuration = try Configuration.load(
///         .api, file: "etc/api.toml", environment: ProcessEnvironment.variables)
///     configuration[ServerSettings.table].listen
///
/// Every value has been checked, so that looking one up cannot fail.
public struct Configuration: Sendable {
    /// Who said what a value is.
    public enum Source: Hashable, Sendable {
        case builtIn
        case file(String, line: Int?)
        case environment(variable: String)
    }

    /// A value and who said it.
    struct Setting {
        let value: ConfigurationValue
        let source: Source
    }

    /// The keys that this configuration has values for.
    public let schema: ConfigurationSchema

    /// By path; one for each entry of the schema.
    private let settings: [String: Setting]

    /// By the name of the table; one for each table of the schema that repeats.
    private let rows: [String: [ConfigurationRow]]

    init(schema: ConfigurationSchema, settings: [String: Setting], rows: [String: [ConfigurationRow]]) {
        self.schema = schema
        self.settings = settings
        self.rows = rows
    }

    /// The rows of a table of the schema that repeats, in the order of the file; another table stops the process.
    public subscript<Row>(table: RepeatedTable<Row>) -> [FilledRow<Row>] {
        table.filled(from: rows(of: table.section))
    }

    /// The rows of a table as they stand there.
    func rows(of table: RepeatedSection) -> [ConfigurationRow] {
        guard let rows = rows[table.name] else {
            preconditionFailure("\(schema.service) has no table \(table.name)")
        }
        return rows
    }

    /// A structure with the values of a table's keys. A table with a key that the schema does not have stops the
    /// process.
    public subscript<Root>(table: ConfigurationTable<Root>) -> Root { table.filled(from: self) }

    /// Who said what the value of a key is, by its path; a key that the schema does not have stops the process.
    public func source(of path: String) -> Source { setting(path).source }

    /// The setting of a path of the schema.
    func setting(_ path: String) -> Setting {
        guard let setting = settings[path] else {
            preconditionFailure("\(schema.service) has no key \(path)")
        }
        return setting
    }
}

extension Configuration {
    /// No configuration is longer; 1 MiB.
    private static let longestBytes = 1 << 20

    /// Reads a file and the environment and checks everything in them.
    ///
    /// - Parameters:
    ///   - file: The path of a TOML file of at most 1 MiB; nil for none.
    ///   - environment: Variables by name; those that belong to no key of the schema are ignored, because services
    ///     share an environment.
    /// - Throws: All problems at once.
    public static func load(
        _ schema: ConfigurationSchema,
        file: String?,
        environment: [String: String]
    ) throws(ConfigurationProblems) -> Configuration {
        guard let file else { return try parse(schema, text: "", file: "", environment: environment) }
        let text: String
        do {
            text = try FileContents.text(file, atMost: longestBytes)
        } catch {
            let problem = ConfigurationProblem(place: .file(file, line: nil), key: nil, complaint: error.description)
            throw ConfigurationProblems(problems: [problem])
        }
        return try parse(schema, text: text, file: file, environment: environment)
    }

    /// Checks the text of a file, and the environment.
    ///
    /// - Parameter file: What to call the text in problems.
    /// - Throws: All problems at once.
    public static func parse(
        _ schema: ConfigurationSchema,
        text: String,
        file: String,
        environment: [String: String]
    ) throws(ConfigurationProblems) -> Configuration {
        var loader = ConfigurationLoader(schema: schema)
        loader.take(text: text, file: file)
        loader.take(environment: environment)
        return try loader.finish()
    }
}
