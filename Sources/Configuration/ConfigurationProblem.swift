/// One thing that is wrong with the configuration.
public struct ConfigurationProblem: Error, Hashable, Sendable {
    /// Where the problem is.
    public enum Place: Hashable, Sendable {
        /// A file as it was named, and the line, counted from 1, if there is one to point at.
        case file(String, line: Int?)
        case environment(variable: String)
    }

    /// Where the problem is.
    public let place: Place
    /// `section.name` of the key at fault, or of the table; nil when the file as a whole is at fault.
    public let key: String?
    /// What is wrong. Together with the key it makes one sentence.
    public let complaint: String

    /// Describes a problem.
    public init(place: Place, key: String?, complaint: String) {
        self.place = place
        self.key = key
        self.complaint = complaint
    }
}

extension ConfigurationProblem: CustomStringConvertible {
    /// `FILE:LINE: KEY COMPLAINT`, as compilers write it, so that editors can jump there.
    public var description: String {
        let subject = key.map { "\($0) " } ?? ""
        return switch place {
        case .file(let file, line: let line?): "\(file):\(line): \(subject)\(complaint)"
        case .file(let file, line: nil): "\(file): \(subject)\(complaint)"
        case .environment(let variable): "\(variable): \(subject)\(complaint)"
        }
    }
}

/// Everything that is wrong with the configuration, so that it can be put right in one go.
public struct ConfigurationProblems: Error, Hashable, Sendable, CustomStringConvertible {
    /// At least one; those of the file first, by line, then those of the environment, by variable.
    public let problems: [ConfigurationProblem]

    /// One problem a line.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}
