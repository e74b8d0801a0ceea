/// A variable of the environment that is named like those of our keys, and is none of them.
///
/// It is told and never refused: others set variables, too, as Kubernetes does for each service.
public struct UnknownVariable: Sendable, Equatable, CustomStringConvertible {
    /// As it stands in the environment, with `TICKLOOP_` in front.
    public let name: String
    /// The one that was probably meant.
    public let nearest: String?

    /// What is said of it.
    public var description: String {
        "\(name) belongs to no key, and is ignored" + (nearest.map { "; did you mean \($0)?" } ?? "")
    }

    /// Finds them.
    ///
    /// - Parameters:
    ///   - schemas: Of all services: they share an environment.
    ///   - others: Variables of ours that are no keys.
    public static func all(
        in environment: [String: String],
        besides schemas: [ConfigurationSchema],
        _ others: Set<String> = []
    ) -> [UnknownVariable] {
        let keys = schemas.flatMap(\.variables)
        let known = Set(keys).union(others)
        return environment.keys.filter { name in
            name.hasPrefix("TICKLOOP_") && !known.contains(name) && !schemas.contains { $0.mayBeOfRow(name) }
        }
        .sorted().map { UnknownVariable(name: $0, nearest: $0.nearest(in: keys.sorted(), edits: 3)) }
    }
}

extension ConfigurationSchema {
    /// Those of every key, and of the rows that are there by default.
    fileprivate var variables: [String] {
        entries.map(\.variable)
            + tables.flatMap { table in
                table.defaultRows.flatMap { row in
                    table.entries.map { table.variablePrefix(ofRow: row.name) + $0.variableSuffix }
                }
            }
    }

    /// Whether a variable is one of a row of a table that repeats; whether the row is there, its service says.
    fileprivate func mayBeOfRow(_ variable: String) -> Bool { tables.contains { $0.place(of: variable) != nil } }
}
