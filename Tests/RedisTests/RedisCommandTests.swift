import Testing

@testable import Redis

@Suite struct RedisCommandTests {
    @Test func `arguments of every kind become bulk strings`() {
        var command: RedisCommand = ["SET", .bytes([0, 13, 10, 255]), 42]
        command.append("")
        let expected: [UInt8] =
            Array("*4\r\n$3\r\nSET\r\n$4\r\n".utf8) + [0, 13, 10, 255] + Array("\r\n$2\r\n42\r\n$0\r\n\r\n".utf8)
        #expect(command.encoded == expected)
    }

    @Test func `lengths count bytes, not characters`() {
        let command: RedisCommand = ["ECHO", "é€"]
        #expect(command.encoded == Array("*2\r\n$4\r\nECHO\r\n$5\r\né€\r\n".utf8))
    }

    @Test(arguments: [1, 9, 10, 99, 100, 12345])
    func `the head counts the arguments however many they are`(count: Int) {
        var command = RedisCommand()
        for _ in 0..<count { command.append("x") }
        let head = Array("*\(count)\r\n".utf8)
        #expect(command.encoded.starts(with: head))
        #expect(command.encoded.count == head.count + count * 7)
    }

    @Test func `encoding twice gives the same bytes, and arguments can follow`() {
        var command: RedisCommand = ["GET"]
        #expect(command.encoded == command.encoded)
        command.append("key")
        #expect(command.encoded == Array("*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n".utf8))
    }

    @Test func `the arguments of one command can be appended to another`() {
        let operands: RedisCommand = ["1", "key"]
        var command: RedisCommand = ["EVAL", "return 1"]
        command.append(argumentsOf: operands)
        #expect(command == ["EVAL", "return 1", "1", "key"])
    }
}

@Suite struct RedisServerErrorTests {
    @Test(arguments: [
        ("LOADING Redis is loading the dataset in memory", RedisServerError.Code.loading, true),
        ("READONLY You can't write against a read only replica.", .readOnly, true),
        ("MASTERDOWN Link with MASTER is down", .readOnly, true),
        ("ERR max number of clients reached", .tooManyClients, true),
        ("NOAUTH Authentication required.", .notAllowed, true),
        ("NOPERM this user has no permissions", .notAllowed, false),
        ("NOSCRIPT No matching script. Please use EVAL.", .noScript, false),
        ("NOGROUP No such key 'x' or consumer group 'y'", .noGroup, false),
        ("BUSYGROUP Consumer Group name already exists", .busyGroup, false),
        ("OOM command not allowed when used memory > 'maxmemory'.", .outOfMemory, false),
        ("ERR unknown command 'FOO'", .other, false),
        ("", .other, false),
    ])
    func `errors are told apart by what follows from them`(
        reply: String,
        code: RedisServerError.Code,
        endsConnection: Bool
    ) {
        let error = RedisServerError(reply: reply)
        #expect(error.code == code)
        #expect(error.endsConnection == endsConnection)
    }

    @Test func `an error from inside a script keeps its code and says that something may have happened`() {
        let error = RedisServerError(reply: "NOGROUP No such key 'x' script: 3a25, on @user_script:1.")
        #expect(error.code == .noGroup)
        #expect(error.isFromScript)
        #expect(RedisError.refused(error).mayHaveHappened)
        #expect(!RedisError.refused(RedisServerError(reply: "NOGROUP No such key 'x'")).mayHaveHappened)
    }

    @Test(arguments: [
        "OOM command not allowed when used memory > 'maxmemory'.", "MISCONF Errors writing to the AOF file: No space",
        "NOREPLICAS Not enough good replicas to write.", "READONLY You can't write against a read only replica.",
    ])
    func `a refusal to take writes says that nothing was written, also from a script`(text: String) {
        for reply in [text, text + " script: 3a25, on @user_script:12."] {
            let error = RedisServerError(reply: reply)
            #expect(error.refusesWrites)
            #expect(!RedisError.refused(error).mayHaveHappened)
        }
    }

    @Test func `the text is bounded`() {
        let error = RedisServerError(reply: "ERR " + String(repeating: "x", count: 10_000))
        #expect(error.message.utf8.count == RedisServerError.messageLimitBytes)
    }
}
