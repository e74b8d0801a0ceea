import Basics
import Testing

@Suite struct CivilDayTests {
    @Test(arguments: [
        (1970, 1, 1, 0), (1969, 12, 31, -1), (2000, 2, 29, 11_016), (2000, 3, 1, 11_017), (2024, 12, 31, 20_088),
        (9999, 12, 31, 2_932_896), (1600, 2, 29, -135_081),
    ])
    func `a day is so many days from 1970`(year: Int, month: Int, day: Int, days: Int) {
        #expect(CivilDay(year: year, month: month, day: day)?.daysSince1970 == days)
        #expect(CivilDay(daysSince1970: days) == CivilDay(year: year, month: month, day: day))
    }

    @Test(arguments: [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 0, 1), (2024, 13, 1), (2024, 1, 0)])
    func `a day that does not exist is none`(year: Int, month: Int, day: Int) {
        #expect(CivilDay(year: year, month: month, day: day) == nil)
    }

    @Test func `each day of four centuries follows the one before`() {
        var last = CivilDay(daysSince1970: -135_140)
        for days in -135_139..<11_000 {
            let next = CivilDay(daysSince1970: days)
            let isNext =
                CivilDay(year: last.year, month: last.month, day: last.day + 1) == next
                || next.day == 1 && (next.month == last.month + 1 || next.month == 1 && last.month == 12)
            #expect(isNext && next.daysSince1970 == days)
            last = next
        }
    }
}

@Suite struct DurationTests {
    @Test(arguments: [
        (Duration.nanoseconds(999), 0, 0, 1), (.microseconds(1), 1, 0, 1), (.milliseconds(7), 7000, 7, 7),
        (.microseconds(2999), 2999, 2, 3), (.seconds(3) + .nanoseconds(1), 3_000_000, 3000, 3001),
        (.nanoseconds(-1_999_999), -1999, -1, 0),
    ])
    func `microseconds and milliseconds are whole`(duration: Duration, micro: Int, down: Int, up: Int) {
        #expect(duration.wholeMicroseconds == micro)
        #expect(duration.wholeMilliseconds == down)
        #expect(duration.millisecondsRoundedUp == up)
    }
}

@Suite struct DecimalTextTests {
    @Test func `a number is written in decimal digits`() {
        let powers = sequence(first: UInt64(1)) { $0 > UInt64.max / 10 ? nil : $0 * 10 }
        for number in powers.flatMap({ [$0 - 1, $0, $0 + 1, $0 / 7] }) + [UInt64.max] {
            var text = [UInt8]("x".utf8)
            text.append(decimal: number)
            #expect(String(decoding: text, as: UTF8.self) == "x\(number)")
        }
    }
}

@Suite struct HexadecimalTests {
    @Test func `every byte is a digit or none`() {
        for byte in UInt8.min...UInt8.max {
            #expect(Hexadecimal.value(byte).map(Int.init) == Character(Unicode.Scalar(byte)).asciiHexadecimal)
        }
    }

    @Test func `bytes and numbers are written`() {
        #expect(Hexadecimal.text([0x00, 0x9f, 0xff]) == "009fff")
        #expect(Hexadecimal.text(0xab) == "00000000000000ab")
        #expect(Hexadecimal.text(FNV1a.hash("foobar".utf8.span)) == "85944171f73967e8")
    }

    @Test(
        arguments: [
            (0, "0000000000000000"), (UInt64.max, "ffffffffffffffff"), (0x0123_4567_89ab_cdef, "0123456789abcdef"),
            (0xfedc_ba98_7654_3210, "fedcba9876543210"), (0x9a, "000000000000009a"), (1 << 32, "0000000100000000"),
        ] as [(UInt64, String)]
    )
    func `numbers become their hexadecimal digits`(value: UInt64, expected: String) {
        var text = Array("<".utf8)
        Hexadecimal.append(value, to: &text)
        #expect(String(decoding: text, as: UTF8.self) == "<" + expected)
    }

    @Test func `where only lower case will do, no other digit does`() {
        #expect(Hexadecimal.lowerCaseValue(Array("x09af".utf8).span, 1..<5) == 0x09af)
        for text in ["09aF", "09ag", "09a ", "09a/", "09a:", "09a@", "09a`"] {
            #expect(Hexadecimal.lowerCaseValue(Array(text.utf8).span, 0..<4) == nil)
        }
    }
}

extension Character {
    fileprivate var asciiHexadecimal: Int? { isASCII ? hexDigitValue : nil }
}

@Suite struct FileContentsTests {
    @Test func `a file is read, within its bound`() throws {
        #expect(try FileContents.text("/proc/self/stat", atMost: 10_000).contains(")"))
        #expect(throws: FileContents.Failure.tooLong(limitBytes: 3)) {
            try FileContents.bytes("/proc/self/stat", atMost: 3)
        }
        #expect(try FileContents.bytes("/dev/null", atMost: 0) == [])
    }

    @Test(arguments: [("/nonexistent", "cannot be read: No such file or directory"), ("/", "cannot be read: Is a dir")])
    func `what cannot be read says why`(path: String, reason: String) {
        let failure = #expect(throws: FileContents.Failure.self) { try FileContents.bytes(path, atMost: 10) }
        #expect(failure?.description.hasPrefix(reason) == true)
    }
}
