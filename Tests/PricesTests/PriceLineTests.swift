import Testing

@testable import Prices

@Suite struct PriceLineTests {
    /// The file's rows as `COPY` gets them, with spaces for tabs; faults as text.
    private func rows(_ file: String, symbol: String? = nil) throws -> [String] {
        var reader = CSVReader()
        reader.append(Array(file.utf8))
        reader.finish()
        #expect(reader.next() == .record)
        let columns = try PriceColumns(header: reader.record, symbol: symbol.flatMap { Symbol($0) })
        var seen: [String] = []
        while reader.next() == .record {
            var row: [UInt8] = []
            do {
                try PriceLine.append(reader.record, columns, to: &row)
                #expect(row.last == UInt8(ascii: "\n"))
                seen.append(
                    row.dropLast().split(separator: 9).map { String(decoding: $0, as: UTF8.self) }.joined(
                        separator: " "
                    )
                )
            } catch {
                #expect(row.isEmpty)
                seen.append("line \(reader.record.line): \(error)")
            }
        }
        return seen
    }

    private func row(symbol: String = "A", recordedAt: String = "2025-01-06T09:00:00Z", price: String = "1") throws
        -> String
    {
        try rows("symbol,recorded_at,price\n\(symbol),\(recordedAt),\(price)\n")[0]
    }

    @Test(arguments: [
        "symbol,recorded_at,price\nAAPL,2025-01-06T09:00:00Z,101.25",
        "price,symbol,recorded_at\n101.25,AAPL,2025-01-06T09:00:00Z",
        "id, Price ,SYMBOL,\"recorded_at\",note\n7, 101.25 ,\tAAPL,\"2025-01-06T09:00:00Z\",\"two\nlines\"",
    ])
    func `columns are found by name`(file: String) throws {
        #expect(try rows(file) == ["AAPL 2025-01-06T09:00:00Z 101.25"])
    }

    @Test(arguments: [
        ("symbol,price\n", PriceFileError.missingColumn("recorded_at", found: "\"symbol\", \"price\"")),
        ("AAPL,101.25\n", .missingColumn("symbol", found: "\"AAPL\", \"101.25\"")),
        ("symbol;recorded_at\n", .missingColumn("price", found: "\"symbol\", \"recorded_at\"")),
        ("a,b,c,d,e,f,g,h,i,j,k,l,m\n", .missingColumn("symbol", found: Self.twelve + ", …")),
        ("symbol,recorded_at,price,Price\n", .repeatedColumn("price")),
    ])
    func `a header that does not name each column once makes the file unusable`(file: String, error: PriceFileError) {
        #expect(throws: error) { try rows(file) }
    }

    private static let twelve = "abcdefghijkl".map { "\"\($0)\"" }.joined(separator: ", ")

    @Test func `a symbol is told in one way only`() {
        #expect(throws: PriceFileError.symbolGivenTwice(column: "ticker")) {
            try rows("Date,Close,Ticker\n", symbol: "AAPL")
        }
    }

    @Test(arguments: [
        // Yahoo and Kaggle
        (
            "Date,Open,High,Low,Close,Adj Close,Volume\n2025-01-06,1,2,0.5,1.5,1.4,100\n",
            "AAPL 2025-01-06T00:00:00Z 1.5"
        ),
        (
            "Date,Adj Close,Close,High,Low,Open,Volume\n2025-01-06,1.4,1.5,2,0.5,1,100\n",
            "AAPL 2025-01-06T00:00:00Z 1.5"
        ),
        ("\"Date\";\"Close\"\r\n\"2025-01-06\";\"1.5\"\r\n", "AAPL 2025-01-06T00:00:00Z 1.5"),
        // yfinance
        (
            "Date,Open,High,Low,Close,Volume\n2025-01-06 00:00:00-05:00,1,2,0,1.5,9\n",
            "AAPL 2025-01-06 00:00:00-05:00 1.5"
        ),
        ("Datetime,Close\n2025-01-06 14:30:00+00:00,1.5\n", "AAPL 2025-01-06 14:30:00+00:00 1.5"),
        ("Date,Close\n2025-02-30,1\n", "line 2: recorded_at \"2025-02-30\" is not a time such as 2025-01-06T09:00:00Z"),
        ("Date,Close\n2025-01-06,null\n", "line 2: price \"null\" is not a decimal number such as 101.25"),
        ("Date,recorded_at,Close,price\n2025-01-06,2025-01-07T00:00:00Z,1,2\n", "AAPL 2025-01-07T00:00:00Z 2"),
        (
            "recorded_at,price\n2025-01-06,1\n",
            "line 2: recorded_at \"2025-01-06\" is not a time such as 2025-01-06T09:00:00Z"
        ),
    ])
    func `a file of daily prices gives each close at midnight`(file: String, row: String) throws {
        #expect(try rows(file, symbol: "AAPL") == [row])
    }

    @Test(arguments: [
        ("2025-01-06T09:00:00Z", "2025-01-06T09:00:00Z"),
        ("2025-01-06t09:00:00z", "2025-01-06t09:00:00z"),
        ("2025-01-06 09:00:00+00", "2025-01-06 09:00:00+00"),
        ("2025-01-06 09:00:00.5-0530", "2025-01-06 09:00:00.5-0530"),
        ("2025-01-06T23:59:59.999999+14:00", "2025-01-06T23:59:59.999999+14:00"),
        ("2025-01-06T23:59:59.999999999Z", "2025-01-06T23:59:59.999999Z"),
        ("2024-02-29T00:00:00.1234567-01:00", "2024-02-29T00:00:00.123456-01:00"),
        ("9999-12-31T22:59:59-01:00", "9999-12-31T22:59:59-01:00"),
        ("0001-01-01T01:00:00+01", "0001-01-01T01:00:00+01"),
    ])
    func `an instant is passed on to the microsecond`(text: String, passedOn: String) throws {
        #expect(try row(recordedAt: text).dropFirst(2).dropLast(2) == passedOn)
    }

    @Test(arguments: [
        "", "2025-01-06", "2025-01-06T09:00Z", "2025-01-06T9:00:00Z", "2025-02-30T09:00:00Z", "0000-01-01T00:00:00Z",
        "2025-01-06T24:00:00Z", "2025-01-06T23:60:00Z", "2025-01-06T23:59:60Z", "2025-01-06_09:00:00Z",
        "2025-01-06T09:00:00.Z", "2025-01-06T09:00:00.1234567890Z", "2025-01-06T09:00:00ZZ", "2025-01-06T09:00:00+1",
        "2025-01-06T09:00:00+16", "2025-01-06T09:00:00+01:60", "2025-01-06T09:00:00+01:0", "2025-01-06T09:00:00 UTC",
        "2025-01-06T09:00:00+1:00", "2025-01-06T09:00:00-", "01/06/2025 09:00:00Z", "infinity", "now",
        "9999-12-31T23:00:00-01:00", "0001-01-01T00:59:59+01",
    ])
    func `what is no instant is a fault`(text: String) throws {
        #expect(
            try row(recordedAt: text)
                == "line 2: recorded_at \(text.debugDescription) is not a time such as 2025-01-06T09:00:00Z"
        )
    }

    @Test(arguments: ["2025-01-06T09:00:00", "2025-01-06 09:00:00.25"])
    func `an instant without a zone is a fault of its own`(text: String) throws {
        #expect(
            try row(recordedAt: text)
                == "line 2: recorded_at \(text.debugDescription) has no time zone; for UTC, end it with Z"
        )
    }

    @Test(arguments: [
        "0", "97", "101.25", "-0.5", "+1", ".5", "5.", "000.100", "0.1234567890123456789",
        "9999999999999999999999999999999999999999999999999999999999999.5",
        "1e-05", "1E+3", "-1.5e-7", "1e3", ".5e1", "5.e-1", "1e-64", "1e63", "0e000",
    ])
    func `a decimal is passed on digit by digit`(text: String) throws {
        #expect(try row(price: text) == "A 2025-01-06T09:00:00Z \(text)")
    }

    @Test(arguments: [
        "", ".", "-", "+.", "1e", "e5", "1e+", "1e5.5", "1e--5", "1e0005", "1e64", "1e-65", "1 e5", "1 000",
        "\"1,000\"", "0x1F", "NaN", "Infinity", "-inf", "1..2", "--1",
        "1.2.3", "١",
        "\\N", "10000000000000000000000000000000000000000000000000000000000000000",
    ])
    func `what is no decimal is a fault`(text: String) throws {
        #expect(try row(price: text).hasPrefix("line 2: price \""))
    }

    @Test(arguments: ["", "A B", "Ä", "A*B", "\\.", "123456789012345678901234567890123"])
    func `what is no symbol is a fault`(text: String) throws {
        #expect(try row(symbol: text).hasPrefix("line 2: symbol \""))
        #expect(try row(symbol: text).hasSuffix(" characters of A-Z a-z 0-9 . ^ = - _ : &"))
    }

    @Test func `a fault is named by line and the others are kept`() throws {
        let file = """
            symbol,recorded_at,price
            A,2025-01-06T09:00:00Z,1

            B,2025-01-06T09:00:00Z
            C,2025-01-06T09:00:00Z,3,
            D,2025-01-06T09:00:00Z,4
            """
        #expect(
            try rows(file) == [
                "A 2025-01-06T09:00:00Z 1",
                "line 4: 2 fields, where the header has 3",
                "line 5: 4 fields, where the header has 3",
                "D 2025-01-06T09:00:00Z 4",
            ]
        )
    }

    @Test func `a fault repeats nothing that would move the cursor, and not much`() throws {
        let reason = try row(symbol: "\u{1B}[2J" + String(repeating: "x", count: 1000))
        #expect(reason.utf8.allSatisfy { $0 >= 0x20 })
        #expect(reason.count < 160)
    }
}
