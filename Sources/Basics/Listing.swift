/// Rows that a command shows: columns below one another for people, one object a line for programs.
package struct Listing: Sendable {
    /// The names of the columns.
    let header: [String]
    /// A cell for each column.
    package private(set) var rows: [[String]] = []
    /// An object for each row.
    package private(set) var json: [String] = []

    /// Begins with a header and no row.
    package init(_ header: [String]) { self.header = header }

    /// Adds a row in both forms.
    package mutating func append(_ cells: [String], json: [UInt8]) {
        rows.append(cells)
        self.json.append(String(decoding: json, as: UTF8.self))
    }

    /// The header and the rows, columns below one another.
    package var lines: [String] {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { cells in
            let padded = zip(cells, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }
            let line = padded.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
