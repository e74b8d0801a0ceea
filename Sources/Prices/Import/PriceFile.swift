/// A price file, turned into rows for `COPY` as it is read.
struct PriceFile: ~Copyable {
    private var file: FileReader
    private var text = FileText()
    private var reader = CSVReader()
    private var columns: PriceColumns?

    /// How many lines were no prices so far.
    private(set) var badLines = 0

    init(_ file: consuming FileReader) {
        self.file = file
    }

    /// The file's size in bytes; nil for a pipe and the like.
    var size: Int? { file.size }

    /// How many of its bytes were read so far.
    var position: Int { file.position }

    /// Reads the header, which comes before everything else.
    ///
    /// - Parameter symbol: Whose prices these are, if the file does not say so itself.
    mutating func readHeader(symbol: Symbol? = nil) throws(PriceFileError) {
        while true {
            switch reader.next() {
            case .record:
                columns = try PriceColumns(header: reader.record, symbol: symbol)
                return
            case .fault: throw .unreadableHeader
            case .end: throw .empty
            case .needMoreBytes: try readPiece()
            }
        }
    }

    /// Reads on until there are rows.
    ///
    /// - Parameter badLine: Called with each line that is no price.
    /// - Returns: The rows, at least one; nil when the file is at its end.
    mutating func nextRows(badLine: (PriceImport.BadLine) -> Void) throws(PriceFileError) -> [UInt8]? {
        guard let columns else { preconditionFailure("the header comes first") }
        var rows: [UInt8] = []
        while true {
            switch reader.next() {
            case .record:
                do {
                    try PriceLine.append(reader.record, columns, to: &rows)
                } catch {
                    badLines += 1
                    badLine(PriceImport.BadLine(reader.record.line, error))
                }
            case .fault(let line, let fault):
                badLines += 1
                badLine(PriceImport.BadLine(line, .csv(fault)))
            case .needMoreBytes:
                guard rows.isEmpty else { return rows }
                try readPiece()
            case .end:
                return rows.isEmpty ? nil : rows
            }
        }
    }

    private mutating func readPiece() throws(PriceFileError) {
        let piece = try file.next()
        reader.append(try text.convert(piece))
        if piece.isEmpty { reader.finish() }
    }
}
