/// What values have to be together, beyond what the key of each says: what is wrong with a configuration, or nothing.
typealias ConfigurationRule = @Sendable (Configuration) -> [ConfigurationProblem]

extension Configuration {
    /// What is wrong with the value of a key only together with others, said with the place where it stands.
    ///
    /// - Parameters:
    ///   - path: Of the key; one that the schema does not have stops the process.
    ///   - complaint: The rest of the sentence that the key begins.
    public func problem(with path: String, _ complaint: String) -> ConfigurationProblem {
        ConfigurationProblem(place: source(of: path).place, key: path, complaint: complaint)
    }
}

extension Configuration.Source {
    /// Where to look for what somebody said.
    var place: ConfigurationProblem.Place {
        switch self {
        case .builtIn: .file("the defaults", line: nil)
        case .file(let file, let line): .file(file, line: line)
        case .environment(let variable): .environment(variable: variable)
        }
    }
}
