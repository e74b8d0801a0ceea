/// Metrics as Prometheus reads them, parsed independently of the code under test, and everything that is wrong with
/// them: what Prometheus would refuse and what `promtool check metrics` would complain about.
public struct MetricsText: Sendable {
    /// One line with a value.
    public struct Sample: Sendable, Hashable {
        /// As it stands in the text, with `_bucket` and the like.
        public let name: String
        /// Without `le`.
        public var labels: [String: String]
        /// The bound of a bucket.
        public var bound: String?
        /// What was measured.
        public let value: Double
    }

    /// A metric.
    public struct Family: Sendable {
        /// Its name.
        public let name: String
        /// `counter`, `gauge` or `histogram`.
        public var kind = ""
        /// What it means.
        public let help: String
        /// Its values.
        public var samples: [Sample] = []
    }

    /// The metrics, in their order.
    public private(set) var families: [Family] = []
    /// What is wrong, in sentences; empty for a text that is right.
    public private(set) var faults: [String] = []

    /// Reads a text.
    public init(_ text: String) {
        if !text.hasSuffix("\n") { faults.append("the last line has no end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() { read(String(line)) }
        for family in families { check(family) }
    }

    /// A metric by its name.
    public subscript(name: String) -> Family? { families.first { $0.name == name } }

    /// The sum of the values of all samples of this name that have these labels among theirs; nil when there is none.
    public func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        let found = families.flatMap(\.samples).filter { sample in
            sample.name == name && sample.bound == nil && labels.allSatisfy { sample.labels[$0.key] == $0.value }
        }
        return found.isEmpty ? nil : found.reduce(0) { $0 + $1.value }
    }

    // MARK: Reading

    private mutating func read(_ line: String) {
        let words = line.split(separator: " ", maxSplits: 3).map { String($0) }
        if line.hasPrefix("# HELP "), words.count == 4 {
            if families.contains(where: { $0.name == words[2] }) { faults.append("\(words[2]) has two places") }
            families.append(Family(name: words[2], help: words[3]))
        } else if line.hasPrefix("# TYPE "), words.count == 4, words[2] == families.last?.name,
            families[families.count - 1].kind.isEmpty
        {
            families[families.count - 1].kind = words[3]
        } else if let sample = sample(line), let family = families.last,
            Self.names(of: family).contains(sample.name)
        {
            families[families.count - 1].samples.append(sample)
        } else {
            faults.append("a line that does not belong here: \(line)")
        }
    }

    private static func names(of family: Family) -> [String] {
        switch family.kind {
        case "histogram": ["_bucket", "_sum", "_count"].map { family.name + $0 }
        case "counter", "gauge": [family.name]
        default: []
        }
    }

    private func sample(_ line: String) -> Sample? {
        var rest = line[...]
        let name = String(rest.prefix { $0 != "{" && $0 != " " })
        rest.removeFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            repeat {
                rest.removeFirst()
                let label = String(rest.prefix { $0 != "=" })
                rest.removeFirst(label.count)
                guard rest.hasPrefix("=\""), labels[label] == nil else { return nil }
                rest.removeFirst(2)
                guard let value = Self.takeQuoted(&rest) else { return nil }
                labels[label] = value
            } while rest.first == ","
            guard rest.first == "}" else { return nil }
            rest.removeFirst()
        }
        guard rest.first == " ", let value = Double(rest.dropFirst()) else { return nil }
        let bound = labels.removeValue(forKey: "le")
        return Sample(name: name, labels: labels, bound: bound, value: value)
    }

    private static func takeQuoted(_ rest: inout Substring) -> String? {
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return value
            case "\\":
                guard let escaped = rest.popFirst(), "\\\"n".contains(escaped) else { return nil }
                value.append(escaped == "n" ? "\n" : escaped)
            default: value.append(character)
            }
        }
        return nil
    }

    // MARK: Judging

    private mutating func check(_ family: Family) {
        let name = family.name
        func complain(_ text: String, if isFaulty: Bool) { if isFaulty { faults.append("\(name) \(text)") } }
        complain("is not one of ours or of every program's", if: !Self.prefixes.contains { name.hasPrefix($0) })
        complain("has characters of other names", if: !name.utf8.allSatisfy { Self.isNameByte($0) })
        complain("has no sentence for help", if: !family.help.hasSuffix("."))
        complain("has no values", if: family.samples.isEmpty)
        complain("and its kind disagree on _total", if: name.hasSuffix("_total") != (family.kind == "counter"))
        let words = name.split(separator: "_").map { String($0) }
        complain("is not in base units", if: !Self.unwantedWords.isDisjoint(with: words))
        complain(
            "is a histogram of something other than time",
            if: family.kind == "histogram" && words.last != "seconds"
        )
        let identities = family.samples.map { Sample(name: $0.name, labels: $0.labels, bound: $0.bound, value: 0) }
        complain("has the same series twice", if: Set(identities).count != identities.count)
        complain("counts below nothing", if: family.kind == "counter" && family.samples.contains { !($0.value >= 0) })
        for labels in Set(family.samples.map(\.labels)) where family.kind == "histogram" {
            let samples = family.samples.filter { $0.labels == labels }
            let buckets = samples.filter { $0.name.hasSuffix("_bucket") }
            let bounds = buckets.compactMap { $0.bound.flatMap { $0 == "+Inf" ? .infinity : Double($0) } }
            complain(
                "has buckets that do not ascend to +Inf",
                if: bounds.count != buckets.count || bounds.last != .infinity
                    || !zip(bounds, bounds.dropFirst()).allSatisfy(<)
                    || !zip(buckets, buckets.dropFirst()).allSatisfy { $0.value <= $1.value }
            )
            let rest = samples.filter { !$0.name.hasSuffix("_bucket") }.map(\.name)
            complain("has no sum or no count", if: rest.sorted() != ["\(name)_count", "\(name)_sum"])
            let count = samples.first { $0.name.hasSuffix("_count") }?.value
            complain("counts something other than its buckets", if: buckets.last?.value != count)
        }
    }

    private static let prefixes = ["tickloop_", "process_"]

    /// What `promtool check metrics` finds in a name and does not like.
    private static let unwantedWords: Set<String> = [
        "ms", "us", "ns", "milliseconds", "microseconds", "nanoseconds", "minutes", "hours", "days", "kilobytes",
        "megabytes", "kib", "mib", "bits", "percent", "counter", "gauge", "histogram", "count", "bucket", "sum",
    ]

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
    }
}
