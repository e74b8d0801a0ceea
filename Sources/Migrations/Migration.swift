/// One numbered step of the schema: a file `NNNN_name.sql`.
public struct Migration: Equatable, Sendable {
    /// Its number, from 1 up, without gaps.
    let version: Int
    /// What the file calls it: lower-case letters, digits and underscores.
    let name: String
    /// The script, run as one transaction.
    let sql: [UInt8]

    /// Makes a migration.
    public init(version: Int, name: String, sql: [UInt8]) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// Reads version and name from a file name such as `0001_prices.sql`; nil for another form.
    static func parse(fileName: String) -> (version: Int, name: String)? {
        guard fileName.hasSuffix(".sql") else { return nil }
        let parts = fileName.dropLast(4).split(separator: "_", maxSplits: 1)
        guard parts.count == 2, parts[0].utf8.count == 4, parts[0].utf8.allSatisfy(isDigit),
            let version = Int(parts[0]), parts[1].utf8.allSatisfy(isNameByte)
        else { return nil }
        return (version, String(parts[1]))
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }
}

extension Migration: CustomStringConvertible {
    /// As the file is named, without its ending: `0001_prices`.
    public var description: String {
        let digits = String(version)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits + "_" + name
    }
}
