/// Turns the bytes of a text file into UTF-8, in whatever pieces they come: UTF-8 as it is, UTF-16 by its byte order
/// mark. What begins like something else is refused with advice, rather than read as nonsense.
struct FileText {
    private enum Encoding { case utf8, utf16(isBigEndian: Bool) }

    /// Nil until the first bytes are there.
    private var encoding: Encoding?
    /// Bytes that wait for more.
    private var held: [UInt8] = []

    /// Enough bytes to tell any two kinds of file apart.
    private static let openingBytes = 4

    /// Converts the next piece; an empty one is the end.
    mutating func convert(_ piece: [UInt8]) throws(PriceFileError) -> [UInt8] {
        var bytes = piece
        if !held.isEmpty {
            bytes = held + piece
            held = []
        }
        if encoding == nil {
            guard bytes.count >= Self.openingBytes || piece.isEmpty else {
                held = bytes
                return []
            }
            encoding = try Self.encoding(of: bytes)
            if case .utf16 = encoding { bytes.removeFirst(2) }
        }
        guard case .utf16(let isBigEndian) = encoding else { return bytes }
        return utf8(bytes, isBigEndian: isBigEndian, isEnd: piece.isEmpty)
    }

    /// Holds back half a unit, and half a pair of surrogates, unless the file ends there.
    private mutating func utf8(_ bytes: [UInt8], isBigEndian: Bool, isEnd: Bool) -> [UInt8] {
        var units = (0..<bytes.count / 2).map { index in
            let (first, second) = (UInt16(bytes[2 * index]), UInt16(bytes[2 * index + 1]))
            return isBigEndian ? first << 8 | second : second << 8 | first
        }
        if !isEnd {
            if let last = units.last, UTF16.isLeadSurrogate(last) { units.removeLast() }
            held = Array(bytes[(2 * units.count)...])
        }
        return Array(String(decoding: units, as: UTF16.self).utf8)
    }

    private static func encoding(of opening: [UInt8]) throws(PriceFileError) -> Encoding {
        for kind in foreignKinds where opening.starts(with: kind.signature) {
            throw .notText(kind: kind.name, advice: kind.advice)
        }
        if opening.starts(with: [0xFF, 0xFE]) { return .utf16(isBigEndian: false) }
        if opening.starts(with: [0xFE, 0xFF]) { return .utf16(isBigEndian: true) }
        guard !opening.prefix(openingBytes).contains(0) else {
            throw .notText(
                kind: "text in UTF-16 without a byte order mark, or no text",
                advice: "try iconv -f UTF-16LE -t UTF-8 FILE | tickloop import prices /dev/stdin"
            )
        }
        return .utf8
    }

    /// What people have in place of a CSV file, by its first bytes.
    private static let foreignKinds: [(signature: [UInt8], name: String, advice: String)] = [
        ([0x1F, 0x8B], "compressed with gzip", piped("gzip -dc")),
        (Array("BZh".utf8), "compressed with bzip2", piped("bzip2 -dc")),
        ([0xFD, 0x37, 0x7A, 0x58], "compressed with xz", piped("xz -dc")),
        ([0x28, 0xB5, 0x2F, 0xFD], "compressed with Zstandard", piped("zstd -dc")),
        ([0x50, 0x4B, 0x03, 0x04], "a ZIP archive, as those of Excel (.xlsx) are", "unpack it, or save it as CSV"),
        ([0xD0, 0xCF, 0x11, 0xE0], "a workbook of Excel (.xls)", "save it as CSV"),
        (Array("PAR1".utf8), "a Parquet file", "write it as CSV"),
        ([0xFF, 0xFE, 0x00, 0x00], "text in UTF-32", piped("iconv -f UTF-32 -t UTF-8")),
        ([0x00, 0x00, 0xFE, 0xFF], "text in UTF-32", piped("iconv -f UTF-32 -t UTF-8")),
    ]

    private static func piped(_ command: String) -> String {
        "try \(command) FILE | tickloop import prices /dev/stdin"
    }
}
