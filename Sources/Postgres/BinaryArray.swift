/// An array in PostgreSQL's binary form, which both sides handle in a fraction of the time of its text.
///
///     var statuses = BinaryArray(of: .int2)
///     statuses.append(200)
///     let parameter = PostgresParameter.binary(statuses)  // for `$1::smallint[]`
public struct BinaryArray: Hashable, Sendable {
    /// What an array consists of.
    public enum Element: Sendable {
        /// `date`, as days since 2000-01-01.
        case date
        /// `smallint`.
        case int2
        /// `integer`.
        case int4
        /// `bigint`.
        case int8
        /// `text`.
        case text

        /// The number of the type in every PostgreSQL (`pg_type.dat`).
        fileprivate var type: UInt64 {
            switch self {
            case .date: 1082
            case .int2: 21
            case .int4: 23
            case .int8: 20
            case .text: 25
            }
        }

        /// Bytes of a number.
        fileprivate var width: Int {
            switch self {
            case .int2: 2
            case .date, .int4: 4
            case .int8: 8
            case .text: preconditionFailure("a text is no number")
            }
        }
    }

    private let element: Element
    /// How many elements there are.
    public private(set) var count = 0
    /// Each element with its length before it.
    private var elements: [UInt8] = []

    /// An array without elements.
    public init(of element: Element) { self.element = element }

    /// Appends a number; traps if it is none of the element's.
    public mutating func append(_ number: Int) {
        let width = element.width
        let spare = 64 - 8 * width
        precondition((number << spare) >> spare == number, "out of range")
        elements.append(addingCapacity: 4 + width) { output in
            output.append(UInt64(width), bytes: 4)
            output.append(UInt64(bitPattern: Int64(number)), bytes: width)
        }
        count += 1
    }

    /// Appends a text, which must be UTF-8 without NUL for the server to take it.
    public mutating func append(utf8 text: Span<UInt8>) {
        precondition(element == .text, "a number is no text")
        elements.append(addingCapacity: 4 + text.count) { output in
            output.append(UInt64(text.count), bytes: 4)
            for index in text.indices { output.append(text[index]) }
        }
        count += 1
    }

    /// Appends what `array_recv` of PostgreSQL reads: dimensions, whether there are nulls, the elements' type; of the
    /// one dimension the length and the first index; then the elements.
    func write(to bytes: inout [UInt8]) {
        bytes.append(addingCapacity: 20) { output in
            output.append(count == 0 ? 0 : 1, bytes: 4)
            output.append(0, bytes: 4)
            output.append(element.type, bytes: 4)
            guard count > 0 else { return }
            output.append(UInt64(count), bytes: 4)
            output.append(1, bytes: 4)
        }
        bytes += elements
    }
}

extension OutputSpan<UInt8> {
    /// Appends the lowest bytes of a number, the highest of them first.
    @inline(__always)
    fileprivate mutating func append(_ number: UInt64, bytes count: Int) {
        var shift = 8 * count
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
        }
    }
}
