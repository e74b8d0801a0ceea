/// Why a file cannot be imported at all.
public enum PriceFileError: Error, Hashable, Sendable {
    /// It cannot be opened or read; in the system's words.
    case unreadable(String)
    /// It is no text that we read, but this; and what helps.
    case notText(kind: String, advice: String)
    /// There is not even a header.
    case empty
    /// The first line is not CSV, so it names no columns.
    case unreadableHeader
    /// The header lacks a column, and has these.
    case missingColumn(String, found: String)
    /// The header names a column twice.
    case repeatedColumn(String)
    /// The symbol was given, and the file has a column of symbols.
    case symbolGivenTwice(column: String)
}

extension PriceFileError: CustomStringConvertible {
    /// One line for a person.
    public var description: String {
        switch self {
        case .unreadable(let words): words
        case .notText(let kind, let advice): "this is \(kind): \(advice)"
        case .empty: "the file is empty; its first line must name the columns symbol, recorded_at and price"
        case .unreadableHeader: "the header is not CSV; it must name the columns symbol, recorded_at and price"
        case .missingColumn("symbol", let found):
            "the header names no column symbol, only \(found); if all prices are of one, give it with --symbol AAPL"
        case .missingColumn("recorded_at", let found): "the header names no column recorded_at or date, only \(found)"
        case .missingColumn(let name, let found): "the header names no column \(name) or close, only \(found)"
        case .repeatedColumn(let name): "the header names the column \(name) more than once"
        case .symbolGivenTwice(let column): "the file has a column \(column), so --symbol is one symbol too many"
        }
    }
}

/// Where the columns that we need are in a file; others are ignored.
///
/// Ours are `symbol`, `recorded_at` and `price`. Files of daily prices, as Yahoo and Kaggle export them, have
/// `Date,Open,High,Low,Close,Adj Close,Volume`: the price is then the close, and the symbol has to be told.
struct PriceColumns: Equatable {
    /// Whose prices these are.
    enum SymbolSource: Equatable {
        case column(Int)
        case given([UInt8])
    }

    let symbol: SymbolSource
    let recordedAt: Int
    /// Whether a day without a time will do, because the column is not called `recorded_at`.
    let takesDates: Bool
    let price: Int
    /// How many columns each record must have.
    let count: Int

    /// Reads the header: names in any order and any case.
    init(header: CSVRecord, symbol given: Symbol? = nil) throws(PriceFileError) {
        let header = Header(header)
        if let given {
            if let column = try header.column(["symbol", "ticker"]) { throw .symbolGivenTwice(column: column.name) }
            symbol = .given(Array(given.text.utf8))
        } else {
            symbol = .column(try header.requiredColumn(["symbol", "ticker"]).position)
        }
        let time = try header.requiredColumn(["recorded_at", "date", "datetime"])
        recordedAt = time.position
        takesDates = time.name != "recorded_at"
        price = try header.requiredColumn(["price", "close"]).position
        count = header.names.count
    }

    private struct Header {
        private static let shownMax = 12

        let names: [String]
        /// The names for a person.
        private let shown: String

        init(_ record: CSVRecord) {
            names = record.fields.indices
                .map { String(decoding: record.bytes[record.trimmed($0)], as: UTF8.self).lowercased() }
            let excerpts = record.fields.indices.prefix(Self.shownMax).map { record.excerpt(record.trimmed($0)) }
            shown = excerpts.joined(separator: ", ") + (names.count > Self.shownMax ? ", …" : "")
        }

        /// The first of these names that there is.
        func column(_ candidates: [String]) throws(PriceFileError) -> (name: String, position: Int)? {
            for name in candidates {
                guard let position = names.firstIndex(of: name) else { continue }
                guard names.lastIndex(of: name) == position else { throw .repeatedColumn(name) }
                return (name, position)
            }
            return nil
        }

        func requiredColumn(_ candidates: [String]) throws(PriceFileError) -> (name: String, position: Int) {
            guard let column = try column(candidates) else { throw .missingColumn(candidates[0], found: shown) }
            return column
        }
    }
}
