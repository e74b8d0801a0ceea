/// Why a file cannot be imported at all.
public enum PriceFileError: Error, Hashable, Sendable {
    /// It cannot be opened or read; in the system's words.
    case unreadable(String)
    /// There is not even a header.
    case empty
    /// The first line is not CSV, so it names no columns.
    case unreadableHeader
    /// The header lacks a column.
    case missingColumn(String)
    /// The header names a column twice.
    case repeatedColumn(String)
}

extension PriceFileError: CustomStringConvertible {
    /// One line for a person.
    public var description: String {
        switch self {
        case .unreadable(let words): words
        case .empty: "the file is empty; its first line must name the columns symbol, recorded_at and price"
        case .unreadableHeader: "line 1 is not CSV; it must name the columns symbol, recorded_at and price"
        case .missingColumn(let name): "line 1 names no column \(name)"
        case .repeatedColumn(let name): "line 1 names the column \(name) more than once"
        }
    }
}

/// Where the columns that we need are in a file; others are ignored.
struct PriceColumns: Equatable {
    let symbol: Int
    let recordedAt: Int
    let price: Int
    /// How many columns each record must have.
    let count: Int

    /// Reads the header: names in any order and any case.
    init(header: CSVRecord) throws(PriceFileError) {
        let names = header.fields.indices
            .map { String(decoding: header.bytes[header.trimmed($0)], as: UTF8.self).lowercased() }
        symbol = try Self.position(of: "symbol", in: names)
        recordedAt = try Self.position(of: "recorded_at", in: names)
        price = try Self.position(of: "price", in: names)
        count = names.count
    }

    private static func position(of name: String, in names: [String]) throws(PriceFileError) -> Int {
        guard let position = names.firstIndex(of: name) else { throw .missingColumn(name) }
        guard names.lastIndex(of: name) == position else { throw .repeatedColumn(name) }
        return position
    }
}
