/// What is wrong with a line of a price file.
enum PriceLineFault: Error, Hashable {
    case csv(CSVFault)
    case fieldCount(Int, expected: Int)
    case symbol(excerpt: String)
    case recordedAt(excerpt: String, TimestampText.Fault)
    case price(excerpt: String)
}

/// Turns records into rows for PostgreSQL, or says why not.
///
/// Everything that `COPY` could refuse is refused here, line by line; a row that it refuses would cost all the others.
struct PriceLine {
    /// Checks a record and appends it as a row of `COPY`'s text format: symbol, recorded_at, price.
    ///
    /// The digits of the price are passed on as they are: no binary floating point ever sees them.
    static func append(_ record: CSVRecord, _ columns: PriceColumns, to rows: inout [UInt8]) throws(PriceLineFault) {
        guard record.fields.count == columns.count else {
            throw .fieldCount(record.fields.count, expected: columns.count)
        }
        let symbol = try symbol(record, columns)
        let recordedAt = record.trimmed(columns.recordedAt)
        let price = record.trimmed(columns.price)
        let bytes = record.bytes.span

        guard DecimalText.isValid(bytes.extracting(price)) else { throw .price(excerpt: record.excerpt(price)) }
        let time = bytes.extracting(recordedAt)
        let isDate = columns.takesDates && time.count == 10 && CalendarDate(time) != nil
        var timestamp: TimestampText?
        if !isDate {
            do { timestamp = try TimestampText(time) } catch {
                throw .recordedAt(excerpt: record.excerpt(recordedAt), error)
            }
        }

        // None of the characters that came through has a meaning for COPY, so nothing is escaped.
        rows += symbol
        rows.append(UInt8(ascii: "\t"))
        if let timestamp {
            rows += record.bytes[recordedAt].prefix(timestamp.significantLength)
            rows += record.bytes[recordedAt].suffix(timestamp.zoneLength)
        } else {
            rows += record.bytes[recordedAt]
            rows += midnight
        }
        rows.append(UInt8(ascii: "\t"))
        rows += record.bytes[price]
        rows.append(UInt8(ascii: "\n"))
    }

    /// The time of a price of which only the day is known: any time of that UTC day counts for it.
    private static let midnight = Array("T00:00:00Z".utf8)

    private static func symbol(
        _ record: CSVRecord,
        _ columns: PriceColumns
    ) throws(PriceLineFault) -> ArraySlice<UInt8> {
        switch columns.symbol {
        case .given(let symbol): return symbol[...]
        case .column(let column):
            let range = record.trimmed(column)
            guard Symbol.isValid(record.bytes.span.extracting(range)) else {
                throw .symbol(excerpt: record.excerpt(range))
            }
            return record.bytes[range]
        }
    }
}

/// What is the matter with a line that is not imported.
public enum BadLineKind: String, CaseIterable, Sendable {
    /// A quote too many or too few, or too long.
    case csv = "bad CSV"
    /// More or fewer fields than the header.
    case fieldCount = "another number of fields than the header"
    case symbol = "no symbol"
    case time = "no time"
    /// An instant without a zone.
    case zone = "no time zone"
    /// Not a decimal number.
    case price = "no price"
}

extension PriceLineFault {
    var kind: BadLineKind {
        switch self {
        case .csv: .csv
        case .fieldCount: .fieldCount
        case .symbol: .symbol
        case .recordedAt(_, .malformed): .time
        case .recordedAt(_, .noZone): .zone
        case .price: .price
        }
    }
}

extension CSVRecord {
    /// What stands in a field, fit for a terminal: at most 40 characters, nothing that moves the cursor.
    func excerpt(_ range: Range<Int>) -> String {
        let text = String(decoding: bytes[range].prefix(200), as: UTF8.self).unicodeScalars
        let short = text.count <= 40 ? String(text) : String(text.prefix(39)) + "…"
        return short.debugDescription
    }
}

extension PriceLineFault: CustomStringConvertible {
    /// One line for a person.
    var description: String {
        switch self {
        case .csv(.quoteInsideField): "a quote inside of a field that does not begin with one"
        case .csv(.textAfterQuote): "text behind the closing quote of a field"
        case .csv(.unterminatedQuote): "a quote that is never closed"
        case .csv(.recordTooLong(let limit)): "longer than \(limit) bytes, or a quote that is never closed"
        case .fieldCount(let count, let expected): "\(count) fields, where the header has \(expected)"
        case .symbol(let excerpt):
            "symbol \(excerpt) is not 1 to \(Symbol.lengthMax) characters of A-Z a-z 0-9 . ^ = - _ : &"
        case .recordedAt(let excerpt, .malformed):
            "recorded_at \(excerpt) is not a time such as 2025-01-06T09:00:00Z"
        case .recordedAt(let excerpt, .noZone):
            "recorded_at \(excerpt) has no time zone; for UTC, end it with Z"
        case .price(let excerpt): "price \(excerpt) is not a decimal number such as 101.25"
        }
    }
}
