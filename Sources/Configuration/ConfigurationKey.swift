/// A key of the configuration: its name, type, default, allowed values and meaning, written down once.
///
///     static let maxConnections = ConfigurationKey.integer(
///         "server.max_connections", default: 10_000, in: 1...1_000_000, "Connections open at once")
///
///     configuration[maxConnections]  // Int
///
/// Everything else follows from the declaration: checking a file, the environment variable, the file with all defaults,
/// and the table in the README. A default that the key itself would refuse stops the process.
public struct ConfigurationKey<Value: Sendable>: Sendable {
    /// Everything about the key but the type of its value.
    public private(set) var entry: ConfigurationEntry

    /// The typed value; nil when the value is not allowed.
    let read: @Sendable (ConfigurationValue) -> Value?

    /// What all the factories below come to.
    ///
    /// - Parameter path: `section.name`; lower case letters, digits and, in the name only, underscores, so that every
    ///   key has an environment variable of its own. For a key of a row of a ``RepeatedTable`` its name alone, or
    ///   that of an inner table before it.
    init(
        _ path: String,
        default defaultValue: ConfigurationValue,
        kind: ConfigurationValue.Kind,
        expectation: String,
        range: String,
        meaning: String,
        isSecret: Bool = false,
        objection: @escaping @Sendable (ConfigurationValue) -> String? = { _ in nil },
        read: @escaping @Sendable (ConfigurationValue) -> Value?
    ) {
        let parts = path.split(separator: ".")
        precondition((1...2).contains(parts.count), "\(path) is not of the form section.name")
        precondition(parts.count == 1 || !parts[0].contains("_"), "\(path): a section is one word")
        precondition(read(defaultValue) != nil, "\(path): the default \(defaultValue) must be \(expectation)")
        entry = ConfigurationEntry(
            section: parts.count == 1 ? "" : String(parts[0]),
            name: String(parts[parts.count - 1]),
            defaultValue: defaultValue,
            kind: kind,
            expectation: expectation,
            range: range,
            meaning: meaning,
            isSecret: isSecret,
            accepts: { read($0) != nil },
            objection: objection
        )
        self.read = read
    }

    /// The same key as one that every row of a ``RepeatedTable`` must say, unless a default row does.
    public var required: Self {
        var key = self
        key.entry.isRequired = true
        return key
    }

    /// The same key with another default, for a service that differs from the others.
    func withDefault(_ value: ConfigurationValue) -> Self {
        precondition(read(value) != nil, "\(entry.path): the default \(value) must be \(entry.expectation)")
        var key = self
        key.entry.defaultValue = value
        return key
    }
}

// MARK: - Numbers and switches

extension ConfigurationKey<Int> {
    /// A whole number; its unit is the last word of the name.
    public static func integer(
        _ path: String,
        default value: Int,
        in range: ClosedRange<Int>,
        _ meaning: String
    ) -> Self {
        Self(
            path,
            default: .integer(value),
            kind: .integer,
            expectation: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            range: "\(range.lowerBound) … \(range.upperBound)",
            meaning: meaning
        ) { found in
            guard case .integer(let value) = found, range.contains(value) else { return nil }
            return value
        }
    }

    /// The same key with another default.
    public func defaulting(to value: Int) -> Self { withDefault(.integer(value)) }
}

extension ConfigurationKey<Double> {
    /// A number that may have a fraction.
    public static func number(
        _ path: String,
        default value: Double,
        in range: ClosedRange<Double>,
        _ meaning: String
    ) -> Self {
        Self(
            path,
            default: .number(value),
            kind: .number,
            expectation: "a number from \(range.lowerBound) to \(range.upperBound)",
            range: "\(range.lowerBound) … \(range.upperBound)",
            meaning: meaning
        ) { found in
            guard case .number(let value) = found, range.contains(value) else { return nil }
            return value
        }
    }

    /// The same key with another default.
    public func defaulting(to value: Double) -> Self { withDefault(.number(value)) }
}

extension ConfigurationKey<Bool> {
    /// A switch.
    public static func boolean(_ path: String, default value: Bool, _ meaning: String) -> Self {
        Self(
            path,
            default: .boolean(value),
            kind: .boolean,
            expectation: "true or false",
            range: "true, false",
            meaning: meaning
        ) { found in
            guard case .boolean(let value) = found else { return nil }
            return value
        }
    }

    /// The same key with another default.
    public func defaulting(to value: Bool) -> Self { withDefault(.boolean(value)) }
}

extension ConfigurationKey<Duration> {
    /// A time in whole milliseconds; the name ends in `_ms`.
    public static func milliseconds(
        _ path: String,
        default value: Int,
        in range: ClosedRange<Int>,
        _ meaning: String
    ) -> Self {
        precondition(path.hasSuffix("_ms"), "\(path) does not name its unit")
        return time(path, default: value, in: range, "milliseconds", meaning) { .milliseconds($0) }
    }

    /// A time in whole seconds; the name ends in `_s`.
    public static func seconds(
        _ path: String,
        default value: Int,
        in range: ClosedRange<Int>,
        _ meaning: String
    ) -> Self {
        precondition(path.hasSuffix("_s"), "\(path) does not name its unit")
        return time(path, default: value, in: range, "seconds", meaning) { .seconds($0) }
    }

    private static func time(
        _ path: String,
        default value: Int,
        in range: ClosedRange<Int>,
        _ unit: String,
        _ meaning: String,
        of duration: @escaping @Sendable (Int) -> Duration
    ) -> Self {
        Self(
            path,
            default: .integer(value),
            kind: .integer,
            expectation: "a whole number of \(unit) from \(range.lowerBound) to \(range.upperBound)",
            range: "\(range.lowerBound) … \(range.upperBound)",
            meaning: meaning
        ) { found in
            guard case .integer(let value) = found, range.contains(value) else { return nil }
            return duration(value)
        }
    }

    /// The same key with another default, in the unit of its name.
    public func defaulting(to value: Int) -> Self { withDefault(.integer(value)) }
}

// MARK: - Texts

extension ConfigurationKey<String> {
    /// A text of a bounded length.
    ///
    /// - Parameters:
    ///   - length: Bytes of UTF-8. Where it begins at 0, the empty text stands for "not given".
    ///   - isSecret: True when the value must never be shown.
    ///   - form: What the text looks like beyond its length, to complete "must be …".
    ///   - matches: True for a text of that form.
    public static func text(
        _ path: String,
        default value: String,
        length: ClosedRange<Int>,
        isSecret: Bool = false,
        form: String = "a text",
        _ meaning: String,
        matches: @escaping @Sendable (String) -> Bool = { _ in true }
    ) -> Self {
        Self(
            path,
            default: .string(value),
            kind: .string,
            expectation: "\(form) of \(length.lowerBound) to \(length.upperBound) bytes",
            range: "\(form), \(length.lowerBound) … \(length.upperBound) bytes",
            meaning: meaning,
            isSecret: isSecret
        ) { found in
            guard case .string(let text) = found, length.contains(text.utf8.count) else { return nil }
            return text.isEmpty || matches(text) ? text : nil
        }
    }

    /// The same key with another default.
    public func defaulting(to value: String) -> Self { withDefault(.string(value)) }
}

extension ConfigurationKey<[String: String]> {
    /// Names, each with what stands for it, as an inline table: `symbols = { "BRK-B" = "BRK.B" }`.
    ///
    /// - Parameters:
    ///   - count: How many there may be at most.
    ///   - form: What each name and each text looks like, to complete "a table of …".
    ///   - matches: True for a name or text of that form.
    public static func map(
        _ path: String,
        count: Int,
        form: String,
        _ meaning: String,
        matches: @escaping @Sendable (String) -> Bool
    ) -> Self {
        Self(
            path,
            default: .map([:]),
            kind: .map,
            expectation: "a table of at most \(count) \(form)",
            range: "up to \(count) \(form)",
            meaning: meaning
        ) { found in
            guard case .map(let pairs) = found, pairs.count <= count,
                pairs.allSatisfy({ matches($0.key) && matches($0.value) })
            else { return nil }
            return pairs
        }
    }
}

extension ConfigurationKey where Value: RawRepresentable<String> & CaseIterable {
    /// One word out of the cases of an enumeration.
    public static func choice(_ path: String, default value: Value, _ meaning: String) -> Self {
        let words = Value.allCases.map(\.rawValue)
        return Self(
            path,
            default: .string(value.rawValue),
            kind: .string,
            expectation: "one of " + words.joined(separator: ", "),
            range: words.joined(separator: ", "),
            meaning: meaning
        ) { found in
            guard case .string(let word) = found else { return nil }
            return Value(rawValue: word)
        }
    }

    /// The same key with another default.
    public func defaulting(to value: Value) -> Self { withDefault(.string(value.rawValue)) }
}

extension ConfigurationKey {
    /// A text that stands for a value of another type, such as an address.
    ///
    /// - Parameters:
    ///   - form: What the text looks like, to complete "must be …".
    ///   - parse: The value, or nil when the text is not of that form.
    public static func parsed(
        _ path: String,
        default text: String,
        form: String,
        _ meaning: String,
        parse: @escaping @Sendable (String) -> Value?
    ) -> Self {
        Self(path, default: .string(text), kind: .string, expectation: form, range: form, meaning: meaning) { found in
            guard case .string(let text) = found else { return nil }
            return parse(text)
        }
    }

    /// A text that stands for a value of another type; the default, an empty text, stands for none.
    ///
    /// - Parameter objection: What exactly is wrong with a text that `parse` refuses; never a part of a secret.
    public static func optional<Wrapped>(
        _ path: String,
        form: String,
        isSecret: Bool = false,
        _ meaning: String,
        objection: @escaping @Sendable (String) -> String? = { _ in nil },
        parse: @escaping @Sendable (String) -> Wrapped?
    ) -> Self where Value == Wrapped? {
        Self(
            path,
            default: .string(""),
            kind: .string,
            expectation: "empty or \(form)",
            range: "empty, \(form)",
            meaning: meaning,
            isSecret: isSecret,
            objection: { if case .string(let text) = $0 { objection(text) } else { nil } }
        ) { found in
            guard case .string(let text) = found else { return nil }
            if text.isEmpty { return .some(nil) }
            return parse(text).map { .some($0) }
        }
    }

    /// The same key with another default, as its text.
    public func defaulting(toText text: String) -> Self { withDefault(.string(text)) }

    /// A list of texts that each stand for a value of another type.
    ///
    /// - Parameters:
    ///   - count: How many there may be.
    ///   - form: What each text looks like.
    ///   - parse: The value, or nil when the text is not of that form.
    public static func list<Element>(
        _ path: String,
        default texts: [String],
        count: ClosedRange<Int>,
        form: String,
        _ meaning: String,
        parse: @escaping @Sendable (String) -> Element?
    ) -> Self where Value == [Element] {
        Self(
            path,
            default: .strings(texts),
            kind: .strings,
            expectation: "a list of \(count.lowerBound) to \(count.upperBound) texts, each \(form)",
            range: "\(count.lowerBound) … \(count.upperBound) × \(form)",
            meaning: meaning
        ) { found in
            guard case .strings(let texts) = found, count.contains(texts.count) else { return nil }
            let values = texts.compactMap(parse)
            return values.count == texts.count ? values : nil
        }
    }

    /// The same key with another default, as the texts of its list.
    public func defaulting(toTexts texts: [String]) -> Self { withDefault(.strings(texts)) }
}
