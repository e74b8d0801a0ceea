/// What is measured: a name with its kind, what it means, and the labels that tell its series apart.
///
/// The conventions are Prometheus' own and are checked here, where a metric is declared: base units in the name
/// (`_seconds`, `_bytes`), `_total` at the end of what only grows, and nothing of a label's meaning in the name.
///
/// - SeeAlso: Prometheus documentation, "Metric and label naming".
public struct Metric: Hashable, Sendable {
    /// How its values behave.
    enum Kind: String, Sendable {
        /// Only grows, from 0 at the start of the process.
        case counter
        /// Goes up and down.
        case gauge
        /// Durations, counted by how long they are.
        case histogram
    }

    /// What a process tells of it besides `/metrics`, to those who look at all processes at once.
    public enum Announcement: Sendable {
        /// Nothing.
        case nothing
        /// Each of its series; of a histogram sum and count.
        case series
        /// The sum of its series, which may be many.
        case sum
    }

    /// As it stands in the text.
    let name: String
    /// How its values behave.
    let kind: Kind
    /// One line for a person.
    let help: String
    /// The names of its labels, in the order in which values are given.
    let labels: [String]
    /// Whether it is told besides.
    private(set) var announcement = Announcement.nothing

    private init(_ kind: Kind, _ name: String, _ help: String, _ labels: [String]) {
        precondition(Self.isName(name), "not a metric's name: \(name)")
        precondition(labels.allSatisfy { Self.isName($0) && $0 != "le" }, "not labels: \(labels)")
        precondition(
            name.hasSuffix("_total") == (kind == .counter),
            "what is counted, and only that, is a total: \(name)"
        )
        precondition(kind != .histogram || name.hasSuffix("_seconds"), "histograms are of time: \(name)")
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
    }

    /// Declares what only grows; the name ends in `_total`.
    public static func counter(_ name: String, _ help: String, labels: String...) -> Metric {
        Metric(.counter, name, help, labels)
    }

    /// Declares what goes up and down.
    public static func gauge(_ name: String, _ help: String, labels: String...) -> Metric {
        Metric(.gauge, name, help, labels)
    }

    /// Declares how long something takes; the name ends in `_seconds`.
    public static func histogram(_ name: String, _ help: String, labels: String...) -> Metric {
        Metric(.histogram, name, help, labels)
    }

    /// The same metric, of which processes also tell those who look at all of them at once, as the console does.
    public func announced(as announcement: Announcement = .series) -> Metric {
        var metric = self
        metric.announcement = announcement
        return metric
    }

    /// Lower case only, which is less than the format allows and all that the conventions want.
    private static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}
