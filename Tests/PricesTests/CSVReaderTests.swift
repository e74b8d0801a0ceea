import Testing

@testable import Prices

@Suite struct CSVReaderTests {
    /// Every record as `LINE|field|field`, every fault as `LINE!name`.
    private func read(_ file: [UInt8], cutEvery size: Int = .max, recordBytesMax: Int = 1000) -> [String] {
        var reader = CSVReader(recordBytesMax: recordBytesMax)
        var unread = file[...]
        var seen: [String] = []
        while true {
            switch reader.next() {
            case .record:
                let record = reader.record
                let fields = record.fields.map { String(decoding: record.bytes[$0], as: UTF8.self) }
                seen.append((["\(record.line)"] + fields).joined(separator: "|"))
            case .fault(let line, let fault):
                seen.append("\(line)!\(String("\(fault)".prefix { $0 != "(" }))")
            case .needMoreBytes:
                if unread.isEmpty { reader.finish() } else { reader.append(Array(unread.prefix(size))) }
                unread = unread.dropFirst(size)
            case .end:
                return seen
            }
        }
    }

    @Test(arguments: [
        ("", []),
        ("a", ["1|a"]),
        ("a,b\nc,d\n", ["1|a|b", "2|c|d"]),
        ("a,b\r\nc,d\r\n", ["1|a|b", "2|c|d"]),
        ("a,b\r\nc,d\r", ["1|a|b", "2|c|d"]),
        ("a,\r\n,\r\n,b", ["1|a|", "2||", "3||b"]),
        ("a\n\n\r\n  \n \t\r\nb\n", ["1|a", "6|b"]),
        ("\u{FEFF}a,b\n1,2", ["1|a|b", "2|1|2"]),
        ("\u{FEFF}", []),
        ("\"a\",\"b\"\n", ["1|a|b"]),
        ("\"a\",\"b\"\r\n", ["1|a|b"]),
        ("\"a\",\"b\"", ["1|a|b"]),
        ("\"a,\"\"b\"\"\",\"\"\nc,d", ["1|a,\"b\"|", "2|c|d"]),
        ("\"a\nb\r\nc\",d\ne,f", ["1|a\nb\r\nc|d", "4|e|f"]),
        ("a, b \n", ["1|a| b "]),
        ("a,b\nc\rd,e\n", ["1|a|b", "2|c\rd|e"]),
        ("\"a\r\",b\r\n", ["1|a\r|b"]),
        ("é,“\n", ["1|é|“"]),
        // The first line says what separates fields.
        ("a;b\nc,d;e\n", ["1|a|b", "2|c,d|e"]),
        ("a\tb\r\nc\t\r\n", ["1|a|b", "2|c|"]),
        ("a|b\nc|d", ["1|a|b", "2|c|d"]),
        ("\"a,b\";c\n\"d;e\";f\n", ["1|a,b|c", "2|d;e|f"]),
        ("\n \na;b\n", ["3|a|b"]),
        ("a\nb;c\n", ["1|a", "2|b;c"]),
        // So does a line of its own, of which Excel knows.
        ("sep=;\r\na;b\r\n", ["2|a|b"]),
        ("\u{FEFF}SEP=\t\na\tb,c\n", ["2|a|b,c"]),
        ("\"sep=,\"\n\na,b;c;d\n", ["3|a|b;c;d"]),
        ("sep=;", []),
        ("sep=ab\nc,d\n", ["1|sep=ab", "2|c|d"]),
        // And it says how lines end.
        ("a,b\rc,d\r\re,f", ["1|a|b", "2|c|d", "4|e|f"]),
        ("a,\"b\rc\"\rd,e\r", ["1|a|b\rc", "3|d|e"]),
        ("\r\ra;b\rc;d", ["3|a|b", "4|c|d"]),
        ("sep=;\ra;b\rc;d\r", ["2|a|b", "3|c|d"]),
        ("\"a\"\rb\nd,e\n", ["1|a", "2|b", "3|d|e"]),
    ])
    func `the same records come out however the file is cut`(file: String, records: [String]) {
        for size in [1, 2, 3, 5, .max] { #expect(read(Array(file.utf8), cutEvery: size) == records) }
    }

    @Test(arguments: [
        ("a\"b,c\nd,e\n", ["1!quoteInsideField", "2|d|e"]),
        ("\"a\"b,c\nd,e\n", ["1!textAfterQuote", "2|d|e"]),
        ("a\n\"b\"\rc\nd,e\n", ["1|a", "2!textAfterQuote", "3|d|e"]),
        ("\"a\"\r", ["1|a"]),
        ("a\rb\"\rc\r", ["1|a", "2!quoteInsideField", "3|c"]),
        ("a,b\n\"c,d\ne,f\ng,h", ["1|a|b", "2!unterminatedQuote", "3|e|f", "4|g|h"]),
        ("a\n\"b\nc\"d\ne\n", ["1|a", "2!textAfterQuote", "3!quoteInsideField", "4|e"]),
        ("\"", ["1!unterminatedQuote"]),
    ])
    func `a fault costs one line`(file: String, records: [String]) {
        for size in [1, 2, 3, 5, .max] { #expect(read(Array(file.utf8), cutEvery: size) == records) }
    }

    @Test func `a record that is too long is passed over without being kept`() {
        let long = String(repeating: "x", count: 5000)
        for size in [1, 7, 20, 21, 4096, .max] {
            let file = Array("a,b\n\(long),c\nd,e\n\"\(long)\nf,g".utf8)
            let expected = ["1|a|b", "2!recordTooLong", "3|d|e", "4!recordTooLong", "5|f|g"]
            #expect(read(file, cutEvery: size, recordBytesMax: 20) == expected)
        }
    }

    @Test func `bytes that are no text do no harm`() {
        #expect(read([0xFF, 0xFE, 0x00, 0x0A, 0x61, 0x0A]).count == 2)
    }
}
