import Glibc
import Testing

@testable import Supervision

@Suite struct WireTests {
    @Test(arguments: [1, 2, 3, 7, 4096])
    func `the same lines come out however the pipe cuts them`(size: Int) {
        var splitter = LineSplitter(lineLimitBytes: 8)
        let bytes = Array("one\ntwo\r\n\n12345678\n123456789 and more\nähm\nlast".utf8)
        var lines: [String] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            lines += splitter.append(bytes[start..<min(start + size, bytes.count)])
        }
        #expect(lines == ["one", "two", "", "12345678", "12345678…", "ähm"])
        #expect(splitter.finish() == "last")
        #expect(splitter.finish() == nil)
    }

    @Test(arguments: [
        ("R", "R\0\0\0\u{8}", Probe.Verdict.ready), ("R", "", .undecided), ("R", "E\0\0\0", .notReady),
        ("+PONG\r\n", "+PO", .undecided), ("+PONG\r\n", "+PONG\r\n", .ready),
        ("+PONG\r\n", "-LOADING Redis is", .notReady),
        ("HTTP/1.1 2", "HTTP/1.1 204 No Content", .ready), ("HTTP/1.1 2", "HTTP/1.1 503", .notReady),
        ("HTTP/1.1 2", "HTTP/1.1 ", .undecided),
    ])
    func `an answer is judged as soon as it can be`(prefix: String, answer: String, verdict: Probe.Verdict) {
        #expect(Probe.judge(Array(answer.utf8), readyOn: prefix) == verdict)
    }

    @Test func `the first message to PostgreSQL says its length, the protocol and who asks`() {
        let message = Probe.postgresStartup(user: "me")
        #expect(message.prefix(8) == [0, 0, 0, UInt8(message.count), 0, 3, 0, 0])
        #expect(message.dropFirst(8).elementsEqual("user\0me\0database\0postgres\0\0".utf8))
    }

    @Test(arguments: [
        ("42 (cat) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 9876 20", 9876 as UInt64?),
        ("42 (a) b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 5 20", 5),
        ("42 (cat) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 9876 20", nil),
        ("42 (cat) S 1 2", nil), ("", nil),
    ])
    func `the start of a process is read from its status, unless it is a zombie`(stat: String, expected: UInt64?) {
        #expect(ProcessRecord.startTicks(ofRunning: stat) == expected)
    }

    @Test func `a table of processes is read as it was written, and damaged lines are left out`() {
        var table = ProcessTable()
        table.set(ProcessRecord(name: "redis", pid: 10, startTicks: 100))
        table.set(ProcessRecord(name: "api-1", pid: 11, startTicks: 110))
        table.set(ProcessRecord(name: "redis", pid: 12, startTicks: 120))
        #expect(table.text == "api-1 11 110\nredis 12 120\n")
        #expect(ProcessTable(parsing: table.text) == table)
        #expect(ProcessTable(parsing: "x\n\napi-1 1 1\napi-1 -5 1\na b c d\n" + table.text) == table)
        table.remove("redis")
        #expect(table.records.map(\.name) == ["api-1"])
    }

    @Test func `a process is told apart from a later one with its pid`() throws {
        let own = try #require(ProcessRecord(name: "tests", runningAs: CInt(getpid())))
        #expect(own.isRunning)
        #expect(!ProcessRecord(name: "tests", pid: own.pid, startTicks: own.startTicks - 1).isRunning)
    }

    @Test func `a child gets its signal for our death last, after the change of user`() {
        var command = Command("/bin/x", ["-a", "b"], parentDeathSignal: .interrupt)
        #expect(command.argumentVector(setpriv: nil) == ["/bin/x", "-a", "b"])
        #expect(command.argumentVector(setpriv: "/s") == ["/s", "--pdeathsig", "INT", "--", "/bin/x", "-a", "b"])
        command.account = "postgres"
        #expect(
            command.argumentVector(setpriv: "/s") == [
                "/s", "--pdeathsig", "INT", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "--",
                "/bin/x",
                "-a", "b",
            ]
        )
    }
}
