public import JSONWire

/// What the values of a field are: how one is read, what is demanded of it, and how that is written in a schema.
///
/// A slice makes rules for values of its own.
public struct FieldRule<Value: Sendable>: Sendable {
    /// The rest of a sentence that the field's name begins: "must be …".
    public let demand: String
    /// What a parameter is that does not meet the demand.
    public let fault: FieldFault.Kind
    /// What a value looks like.
    public let schema: Schema
    /// Reads a parameter; nil if it does not meet the demand.
    public let text: @Sendable (String) -> Value?
    /// Reads a JSON value, which is never `null`; nil if it does not meet the demand.
    public let json: @Sendable (JSONValue) -> Value?

    /// A rule whose JSON values differ from its texts, as those of numbers do.
    public init(
        _ demand: String,
        fault: FieldFault.Kind = .invalid,
        schema: Schema,
        text: @escaping @Sendable (String) -> Value?,
        json: @escaping @Sendable (JSONValue) -> Value?
    ) {
        self.demand = demand
        self.fault = fault
        self.schema = schema
        self.text = text
        self.json = json
    }

    /// A rule whose JSON values are strings of the same texts.
    public init(
        _ demand: String,
        fault: FieldFault.Kind = .invalid,
        schema: Schema,
        text: @escaping @Sendable (String) -> Value?
    ) {
        self.init(demand, fault: fault, schema: schema, text: text) { value in value.string.flatMap(text) }
    }
}

extension FieldRule where Value: RawRepresentable<String> & CaseIterable {
    /// One of the words of an enumeration.
    public static var word: FieldRule {
        let words = Value.allCases.map(\.rawValue)
        return FieldRule(
            "must be one of \(words.map { "`\($0)`" }.joined(separator: ", "))",
            schema: .word(words)
        ) { Value(rawValue: $0) }
    }
}

extension FieldRule<String> {
    /// A text of some ASCII characters.
    ///
    /// - Parameter length: How many there are.
    public static func text(of characters: FieldCharacters, length: ClosedRange<Int>) -> FieldRule {
        let count = length.count == 1 ? "exactly \(length.lowerBound)" : "\(length.lowerBound) to \(length.upperBound)"
        return FieldRule(
            "must be \(count) \(characters.words)",
            schema: .string(pattern: "^[\(characters.pattern)]*$", length: length)
        ) { text in
            let bytes = text.utf8
            return length.contains(bytes.count) && bytes.allSatisfy(characters.contains) ? text : nil
        }
    }
}

/// Characters that a text may consist of, all of ASCII.
public struct FieldCharacters: Sendable {
    /// What they are called in a sentence.
    let words: String
    /// The inside of a bracket expression.
    let pattern: String
    let contains: @Sendable (UInt8) -> Bool

    /// `!` to `~`: what can be seen.
    public static let visible = FieldCharacters(words: "visible ASCII characters", pattern: "!-~") {
        (0x21...0x7E).contains($0)
    }

    /// Letters and digits.
    public static let alphanumeric = FieldCharacters(words: "characters of A-Z a-z 0-9", pattern: "A-Za-z0-9") { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}

extension FieldRule<Int> {
    /// A whole number: of a parameter its digits, of JSON whatever is written for it, as `1.0` and `1e0` are 1.
    public static func wholeNumber(in range: ClosedRange<Int>) -> FieldRule {
        FieldRule(
            "must be a whole number from \(range.lowerBound) to \(range.upperBound)",
            schema: .integer(in: range)
        ) { text in
            // Int would also take a plus sign.
            guard text.utf8.first != UInt8(ascii: "+"), let number = Int(text), range.contains(number) else {
                return nil
            }
            return number
        } json: { value in
            guard let number = value.numberText.flatMap({ FixedDecimal($0, places: 0) })?.units else { return nil }
            return range.contains(number) ? number : nil
        }
    }
}

extension FieldRule<FixedDecimal> {
    /// A positive number with at most some decimals; read by its value, so that `1.500` has one.
    ///
    /// - Parameter digits: How many digits may stand before the point.
    public static func positiveDecimal(places: Int, digits: Int) -> FieldRule {
        let unitsMax = Array(repeating: 10, count: digits + places).reduce(1, *) - 1
        let largest = FixedDecimal(units: unitsMax, places: places)
        let smallest = FixedDecimal(units: 1, places: places)
        @Sendable func read(_ text: String) -> FixedDecimal? {
            guard let number = FixedDecimal(text, places: places), (1...unitsMax).contains(number.units) else {
                return nil
            }
            return number
        }
        return FieldRule(
            "must be a positive number with at most \(places) decimals, up to \(largest)",
            schema: .number(from: smallest.description, to: largest.description, stepping: smallest.description),
            text: read
        ) { value in value.numberText.flatMap(read) }
    }
}

extension FieldRule<Bool> {
    /// `true` or `false`.
    public static let flag = FieldRule("must be true or false", schema: .flag) { text in
        text == "true" ? true : text == "false" ? false : nil
    } json: {
        $0.bool
    }
}

extension FieldRule<Timestamp> {
    /// A moment of RFC 3339, with any offset.
    public static let timestamp = FieldRule(
        "must be a time of RFC 3339, such as 2025-01-06T09:30:00Z",
        schema: .string(format: "date-time")
    ) { Timestamp($0) }
}
