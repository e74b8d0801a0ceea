/// What is known about a key without the Swift type of its value.
public struct ConfigurationEntry: Sendable {
    /// The table that the key stands in; empty for a key of a row of a ``RepeatedTable`` that stands in no inner table.
    public let section: String
    /// The key within its table; a unit is its last word, as in `idle_timeout_ms`.
    public let name: String
    /// What the value is when nobody says otherwise.
    public let defaultValue: ConfigurationValue
    /// The type that a file must use.
    public let kind: ConfigurationValue.Kind
    /// What the value may be, to complete the sentence "must be …".
    let expectation: String
    /// The values allowed, short enough for a table.
    public let range: String
    /// What the key does, in one sentence without a full stop.
    let meaning: String
    /// True when the value must never be shown.
    let isSecret: Bool
    /// True when a row of a table that repeats must say it.
    let isRequired: Bool
    /// True for a value that the key takes.
    let accepts: @Sendable (ConfigurationValue) -> Bool
    /// What exactly is wrong with a value that the key does not take, where that can be said without showing it.
    let objection: @Sendable (ConfigurationValue) -> String?

    /// `section.name`, the whole name of the key; in a row, relative to it.
    public var path: String { section.isEmpty ? name : "\(section).\(name)" }

    /// The environment variable that overrides the key: `TICKLOOP_SECTION_NAME`.
    var variable: String { "TICKLOOP_\(variableSuffix)" }

    /// What the variable of a key of a row ends in: `SECTION_NAME`.
    var variableSuffix: String { (section.isEmpty ? name : "\(section)_\(name)").uppercased() }

    /// The value for people: as TOML, with `"***"` for a secret that is set.
    func shown(_ value: ConfigurationValue) -> String {
        isSecret && !value.isEmptyText ? "\"***\"" : value.description
    }

    /// Why a value is refused, as one sentence.
    ///
    /// - Parameters:
    ///   - found: What is shown of it, unless it is a secret.
    ///   - value: The value, if it has the right type.
    func complaint(about found: String, _ value: ConfigurationValue? = nil) -> String {
        let objection = value.flatMap(objection).map { ": \($0)" } ?? ""
        return (isSecret ? "must be \(expectation)" : "must be \(expectation), not \(found)") + objection
    }
}
