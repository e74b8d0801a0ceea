/// A key of a table, bound to the field that holds its value: name, range and meaning, written down once. The default
/// is what the field holds before anybody says otherwise.
///
///     Key("max_connections", \.connectionLimit, in: 1...1_000_000, "Connections open at once")
///
/// Everything else follows from the declaration: checking a file, the environment variable, the file with all defaults,
/// and the table in the manual.
public struct Key<Root: Sendable>: Sendable {
    /// A field of the structure that the table fills.
    public typealias Field<Value> = any WritableKeyPath<Root, Value> & Sendable

    /// The key within its table; lower-case letters, digits and underscores; a unit is its last word. In a row of a
    /// ``RepeatedTable`` the name of an inner table may stand before it: `budget.per_day`.
    let name: String
    let kind: ConfigurationValue.Kind
    let expectation: String
    let range: String
    let meaning: String
    let isSecret: Bool
    private(set) var isRequired = false
    let objection: @Sendable (ConfigurationValue) -> String?
    /// The value of the field as it would stand in a file.
    let initial: @Sendable (Root) -> ConfigurationValue
    /// Puts a value into the field; false when the key does not take it.
    let set: @Sendable (ConfigurationValue, inout Root) -> Bool

    /// What all the others come to.
    private init<Value>(
        _ name: String,
        _ field: Field<Value>,
        _ kind: ConfigurationValue.Kind,
        expectation: String,
        range: String,
        _ meaning: String,
        isSecret: Bool = false,
        objection: @escaping @Sendable (ConfigurationValue) -> String? = { _ in nil },
        write: @escaping @Sendable (Value) -> ConfigurationValue,
        read: @escaping @Sendable (ConfigurationValue) -> Value?
    ) {
        self.name = name
        self.kind = kind
        self.expectation = expectation
        self.range = range
        self.meaning = meaning
        self.isSecret = isSecret
        self.objection = objection
        initial = { write($0[keyPath: field]) }
        set = { value, root in
            guard let value = read(value) else { return false }
            root[keyPath: field] = value
            return true
        }
    }
}

extension Key {
    /// The same key as one that every row of a ``RepeatedTable`` must say, unless a default row has its name.
    public var required: Self {
        var key = self
        key.isRequired = true
        return key
    }

    /// What is known about it without the types.
    ///
    /// - Parameter section: The table that it stands in; empty in a row of a table that repeats.
    func entry(in section: String, _ defaults: Root) -> ConfigurationEntry {
        let parts = name.split(separator: ".").map { String($0) }
        precondition(parts.count == 1 || section.isEmpty && parts.count == 2, "\(name) is not the name of a key")
        let initial = initial(defaults)
        var taken = defaults
        precondition(isRequired || set(initial, &taken), "\(section).\(name): \(initial) must be \(expectation)")
        return ConfigurationEntry(
            section: parts.count == 1 ? section : parts[0],
            name: parts[parts.count - 1],
            defaultValue: initial,
            kind: kind,
            expectation: expectation,
            range: range,
            meaning: meaning,
            isSecret: isSecret,
            isRequired: isRequired,
            accepts: { [set] value in
                var root = defaults
                return set(value, &root)
            },
            objection: objection
        )
    }
}

// MARK: - Numbers and switches

extension Key {
    /// A whole number; its unit is the last word of the name.
    public init<Number: FixedWidthInteger & Sendable>(
        _ name: String,
        _ field: Field<Number>,
        in range: ClosedRange<Int>,
        _ meaning: String
    ) {
        self.init(
            name,
            field,
            .integer,
            expectation: "a whole number from \(range.lowerBound) to \(range.upperBound)",
            range: "\(range.lowerBound) … \(range.upperBound)",
            meaning,
            write: { .integer(Int($0)) },
            read: { found in
                guard case .integer(let value) = found, range.contains(value) else { return nil }
                return Number(exactly: value)
            }
        )
    }

    /// A number that may have a fraction.
    public init(_ name: String, _ field: Field<Double>, in range: ClosedRange<Double>, _ meaning: String) {
        self.init(
            name,
            field,
            .number,
            expectation: "a number from \(range.lowerBound) to \(range.upperBound)",
            range: "\(range.lowerBound) … \(range.upperBound)",
            meaning,
            write: { .number($0) },
            read: { found in
                guard case .number(let value) = found, range.contains(value) else { return nil }
                return value
            }
        )
    }

    /// A switch.
    public init(_ name: String, _ field: Field<Bool>, _ meaning: String) {
        self.init(
            name,
            field,
            .boolean,
            expectation: "true or false",
            range: "true, false",
            meaning,
            write: { .boolean($0) },
            read: { found in if case .boolean(let value) = found { value } else { nil } }
        )
    }

    /// A time, in whole milliseconds when the name ends in `_ms`, in whole seconds when it ends in `_s`.
    public init(_ name: String, _ field: Field<Duration>, in range: ClosedRange<Int>, _ meaning: String) {
        let isMilliseconds = name.hasSuffix("_ms")
        precondition(isMilliseconds || name.hasSuffix("_s"), "\(name) does not name its unit")
        let unit = isMilliseconds ? Duration.milliseconds(1) : .seconds(1)
        let bounds = "\(range.lowerBound) to \(range.upperBound)"
        self.init(
            name,
            field,
            .integer,
            expectation: "a whole number of \(isMilliseconds ? "milliseconds" : "seconds") from \(bounds)",
            range: "\(range.lowerBound) … \(range.upperBound)",
            meaning,
            write: { .integer(Int(($0 / unit).rounded())) },
            read: { found in
                guard case .integer(let value) = found, range.contains(value) else { return nil }
                return unit * value
            }
        )
    }
}

// MARK: - Texts

extension Key {
    /// A text of a bounded length.
    ///
    /// - Parameters:
    ///   - length: Bytes of UTF-8. Where it begins at 0, the empty text stands for "not given".
    ///   - isSecret: True when the value must never be shown.
    ///   - form: What the text looks like beyond its length, to complete "must be …".
    ///   - matches: True for a text of that form.
    public init(
        _ name: String,
        _ field: Field<String>,
        length: ClosedRange<Int>,
        isSecret: Bool = false,
        form: String = "a text",
        _ meaning: String,
        matches: @escaping @Sendable (String) -> Bool = { _ in true }
    ) {
        self.init(
            name,
            field,
            .string,
            expectation: "\(form) of \(length.lowerBound) to \(length.upperBound) bytes",
            range: "\(form), \(length.lowerBound) … \(length.upperBound) bytes",
            meaning,
            isSecret: isSecret,
            write: { .string($0) },
            read: { found in
                guard case .string(let text) = found, length.contains(text.utf8.count) else { return nil }
                return text.isEmpty || matches(text) ? text : nil
            }
        )
    }

    /// A text of a bounded length, or none, for which the empty text stands.
    public init(
        _ name: String,
        _ field: Field<String?>,
        upTo length: Int,
        isSecret: Bool = false,
        _ meaning: String
    ) {
        self.init(
            name,
            field,
            .string,
            expectation: "a text of 0 to \(length) bytes",
            range: "a text, 0 … \(length) bytes",
            meaning,
            isSecret: isSecret,
            write: { .string($0 ?? "") },
            read: { found in
                guard case .string(let text) = found, text.utf8.count <= length else { return nil }
                return .some(text.isEmpty ? nil : text)
            }
        )
    }

    /// One word out of the cases of an enumeration.
    public init<Choice: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String,
        _ field: Field<Choice>,
        _ meaning: String
    ) {
        let words = Choice.allCases.map(\.rawValue)
        self.init(
            name,
            field,
            .string,
            expectation: "one of " + words.joined(separator: ", "),
            range: words.joined(separator: ", "),
            meaning,
            write: { .string($0.rawValue) },
            read: { found in if case .string(let word) = found { Choice(rawValue: word) } else { nil } }
        )
    }

    /// A text that stands for a value of another type, such as an address.
    ///
    /// - Parameters:
    ///   - form: What the text looks like, to complete "must be …".
    ///   - parse: The value, or nil when the text is not of that form.
    public init<Value: CustomStringConvertible & Sendable>(
        _ name: String,
        _ field: Field<Value>,
        form: String,
        _ meaning: String,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.init(
            name,
            field,
            .string,
            expectation: form,
            range: form,
            meaning,
            write: { .string($0.description) },
            read: { found in if case .string(let text) = found { parse(text) } else { nil } }
        )
    }

    /// A text that stands for a value of another type; the empty text, which is the default, stands for none.
    ///
    /// - Parameter objection: What exactly is wrong with a text that `parse` refuses; never a part of a secret.
    public init<Wrapped: Sendable>(
        _ name: String,
        optional field: Field<Wrapped?>,
        form: String,
        isSecret: Bool = false,
        _ meaning: String,
        objection: @escaping @Sendable (String) -> String? = { _ in nil },
        parse: @escaping @Sendable (String) -> Wrapped?
    ) {
        self.init(
            name,
            field,
            .string,
            expectation: "empty or \(form)",
            range: "empty, \(form)",
            meaning,
            isSecret: isSecret,
            objection: { if case .string(let text) = $0 { objection(text) } else { nil } },
            write: { _ in .string("") },
            read: { found in
                guard case .string(let text) = found else { return nil }
                if text.isEmpty { return .some(nil) }
                return parse(text).map { .some($0) }
            }
        )
    }

    /// A list of texts that each stand for a value of another type.
    ///
    /// - Parameters:
    ///   - count: How many there may be.
    ///   - form: What each text looks like.
    ///   - objection: What exactly is wrong with a text that `parse` refuses.
    ///   - parse: The value, or nil when the text is not of that form.
    public init<Element: CustomStringConvertible & Sendable>(
        _ name: String,
        _ field: Field<[Element]>,
        count: ClosedRange<Int>,
        form: String,
        _ meaning: String,
        objection: @escaping @Sendable (String) -> String? = { _ in nil },
        parse: @escaping @Sendable (String) -> Element?
    ) {
        self.init(
            name,
            field,
            .strings,
            expectation: "a list of \(count.lowerBound) to \(count.upperBound) texts, each \(form)",
            range: "\(count.lowerBound) … \(count.upperBound) × \(form)",
            meaning,
            objection: { found in
                guard case .strings(let texts) = found else { return nil }
                return texts.first { parse($0) == nil }.flatMap(objection)
            },
            write: { .strings($0.map(\.description)) },
            read: { found in
                guard case .strings(let texts) = found, count.contains(texts.count) else { return nil }
                let values = texts.compactMap(parse)
                return values.count == texts.count ? values : nil
            }
        )
    }
}

extension Key {
    /// Names, each with what stands for it, as an inline table: `symbols = { "BRK-B" = "BRK.B" }`.
    ///
    /// - Parameters:
    ///   - count: How many there may be at most.
    ///   - form: What each name and each text looks like, to complete "a table of …".
    ///   - matches: True for a name or text of that form.
    public init(
        _ name: String,
        _ field: Field<[String: String]>,
        upTo count: Int,
        form: String,
        _ meaning: String,
        matches: @escaping @Sendable (String) -> Bool
    ) {
        self.init(
            name,
            field,
            .map,
            expectation: "a table of at most \(count) \(form)",
            range: "up to \(count) \(form)",
            meaning,
            write: { .map($0) },
            read: { found in
                guard case .map(let pairs) = found, pairs.count <= count,
                    pairs.allSatisfy({ matches($0.key) && matches($0.value) })
                else { return nil }
                return pairs
            }
        )
    }
}
