import Testing

@testable import Prices

@Suite struct FileTextTests {
    private func text(_ file: [UInt8], cutEvery size: Int) throws -> String {
        var converter = FileText()
        var text: [UInt8] = []
        var rest = file[...]
        while !rest.isEmpty {
            text += try converter.convert(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        text += try converter.convert([])
        return String(decoding: text, as: UTF8.self)
    }

    private static func bytes(_ text: String, isBigEndian: Bool) -> [UInt8] {
        "\u{FEFF}\(text)".utf16.flatMap { unit in
            let bytes = [UInt8(unit >> 8), UInt8(unit & 0xFF)]
            return isBigEndian ? bytes : bytes.reversed()
        }
    }

    @Test(arguments: ["", "a", "symbol,price\r\nA,1", "é“𝄞𝄞,x"])
    func `UTF-8 and UTF-16 are the same text however the file is cut`(text: String) throws {
        for size in [1, 2, 3, 5, 1000] {
            #expect(try self.text(Array(text.utf8), cutEvery: size) == text)
            #expect(try self.text(Self.bytes(text, isBigEndian: true), cutEvery: size) == text)
            #expect(try self.text(Self.bytes(text, isBigEndian: false), cutEvery: size) == text)
        }
    }

    @Test func `half a character at the end is no reason to stop`() throws {
        #expect(try text(Self.bytes("a", isBigEndian: true) + [0xD8, 0x34], cutEvery: 3) == "a\u{FFFD}")
        #expect(try text(Self.bytes("a", isBigEndian: true) + [0xD8], cutEvery: 3) == "a")
    }

    @Test(arguments: [
        ([0x1F, 0x8B, 0x08, 0x00], "compressed with gzip: try gzip -dc"),
        (Array("BZh9".utf8), "bzip2"), ([0xFD, 0x37, 0x7A, 0x58], "xz"), ([0x28, 0xB5, 0x2F, 0xFD], "zstd"),
        ([0x50, 0x4B, 0x03, 0x04], ".xlsx"), ([0xD0, 0xCF, 0x11, 0xE0], ".xls"), (Array("PAR1".utf8), "Parquet"),
        ([0xFF, 0xFE, 0x00, 0x00], "UTF-32"), ([0x00, 0x00, 0xFE, 0xFF], "UTF-32"),
        ([0x73, 0x00, 0x79, 0x00], "UTF-16LE"),
    ])
    func `what is no text is refused with what would help`(file: [UInt8], words: String) throws {
        for size in [1, 3, 1000] {
            let error = #expect(throws: PriceFileError.self) {
                _ = try text(file + Array("more".utf8), cutEvery: size)
            }
            #expect(try #require(error).description.contains(words))
        }
    }
}
