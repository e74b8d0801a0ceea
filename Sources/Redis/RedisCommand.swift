/// One argument of a command.
public enum RedisArgument: Equatable, Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    /// Text, sent as UTF-8.
    case string(String)
    /// Bytes, sent as they are.
    case bytes([UInt8])
    /// A whole number, sent as decimal text.
    case integer(Int64)

    /// Text.
    public init(stringLiteral value: String) { self = .string(value) }

    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
}

/// A command encoded as RESP2: an array of bulk strings, safe for any bytes.
///
/// Arguments are appended in order. How many there are is written first in RESP, but known last; therefore the buffer
/// keeps room for that head before the arguments, and the head is put in, right-aligned, when the command is sent.
///
/// - SeeAlso: [RESP](https://redis.io/docs/latest/develop/reference/protocol-spec/), "Sending commands".
public struct RedisCommand: Sendable, Equatable {
    /// `*`, at most 19 digits, CR and LF.
    private static let headBytes = 22

    /// Room for the head, then the arguments.
    private var buffer: [UInt8]
    /// How many arguments there are, the command's name included.
    private(set) var argumentCount = 0

    /// Starts a command without arguments.
    ///
    /// - Parameter capacityBytes: Room to set aside for the arguments.
    public init(capacityBytes: Int = 128) {
        buffer = []
        buffer.reserveCapacity(Self.headBytes + capacityBytes)
        buffer.append(contentsOf: repeatElement(0, count: Self.headBytes))
    }

    init(_ arguments: [RedisArgument]) {
        self.init()
        for argument in arguments { append(argument) }
    }

    /// Bytes of all arguments as encoded.
    var encodedBytes: Int { buffer.count - Self.headBytes }

    /// Appends an argument.
    public mutating func append(_ argument: RedisArgument) {
        switch argument {
        case .string(let text): append(text)
        case .bytes(let bytes): append(bytes)
        case .integer(let value): append(value)
        }
    }

    /// Appends text as UTF-8.
    public mutating func append(_ text: String) {
        let utf8 = text.utf8
        beginArgument(lengthBytes: utf8.count)
        buffer.append(contentsOf: utf8)
        endArgument()
    }

    /// Appends any bytes as they are.
    public mutating func append(_ bytes: [UInt8]) {
        beginArgument(lengthBytes: bytes.count)
        buffer.append(contentsOf: bytes)
        endArgument()
    }

    /// Appends a whole number as decimal text.
    public mutating func append(_ value: some BinaryInteger) { append(String(value)) }

    /// Appends all arguments of another command.
    public mutating func append(argumentsOf other: RedisCommand) {
        buffer.append(contentsOf: other.buffer[Self.headBytes...])
        argumentCount += other.argumentCount
    }

    /// Calls `body` with the encoded command, which is followed by one zero byte.
    ///
    /// The zero is there because hiredis 0.14 looks at the byte after the last argument of a one-word command.
    mutating func withEncoded<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        precondition(argumentCount > 0, "a command has a name")
        let start = writeHead()
        buffer.append(0)
        defer { buffer.removeLast() }
        return body(buffer.span.extracting(start..<(buffer.count - 1)))
    }

    /// The encoded command; for tests.
    var encoded: [UInt8] {
        var copy = self
        return copy.withEncoded { bytes in bytes.indices.map { bytes[$0] } }
    }

    /// Puts the head before the arguments; returns where it starts.
    private mutating func writeHead() -> Int {
        var index = Self.headBytes
        func put(_ byte: UInt8, into buffer: inout [UInt8]) {
            index -= 1
            buffer[index] = byte
        }
        put(UInt8(ascii: "\n"), into: &buffer)
        put(UInt8(ascii: "\r"), into: &buffer)
        var rest = argumentCount
        repeat {
            put(UInt8(ascii: "0") + UInt8(rest % 10), into: &buffer)
            rest /= 10
        } while rest > 0
        put(UInt8(ascii: "*"), into: &buffer)
        return index
    }

    private mutating func beginArgument(lengthBytes: Int) {
        argumentCount += 1
        buffer.append(UInt8(ascii: "$"))
        appendDigits(lengthBytes)
        endArgument()
    }

    private mutating func endArgument() {
        buffer.append(UInt8(ascii: "\r"))
        buffer.append(UInt8(ascii: "\n"))
    }

    private mutating func appendDigits(_ value: Int) {
        if value < 10 { return buffer.append(UInt8(ascii: "0") + UInt8(value)) }
        appendDigits(value / 10)
        buffer.append(UInt8(ascii: "0") + UInt8(value % 10))
    }
}

extension RedisCommand: ExpressibleByArrayLiteral {
    /// Makes a command of its arguments.
    public init(arrayLiteral arguments: RedisArgument...) { self.init(arguments) }
}
