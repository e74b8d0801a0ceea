import ArgumentParser
import Basics
import Glibc
import Orders
import Reactor

struct OrdersCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compares orders, events, messages, the exchange's ledger and a client's log.",
        discussion: """
            Says which promise is broken, with the orders concerned. It may run while orders are taken and placed. The \
            exit status is 0 if all promises are kept, 1 if not, 2 if that could not be found out.

            A log has a JSON object on each line: {"taken":ID,"key":KEY} for an answer of 201, the key if there was \
            one; {"ended":ID} for a 200 to DELETE.
            """
    )

    @Option(help: "Where the exchange is, such as http://127.0.0.1:8090; or its ledger, with a path.")
    var ledger: String?

    @Option(name: .customLong("log"), help: "A file in which a client has written down its answers.")
    var logFile: String?

    @OptionGroup var tool: OrdersTool

    /// Orders that are named at most for each broken promise; --json names all.
    private static let namedMax = 20
    /// Some ten million answers.
    private static let logBytesMax = 1 << 30

    func validate() throws {
        guard let ledger, Self.location(ledger) == nil else { return }
        throw ValidationError("--ledger is a URL such as http://127.0.0.1:8090.")
    }

    func run() throws {
        let ledger = ledger.flatMap { Self.location($0) }
        var log: String?
        if let logFile {
            do throws(FileContents.Failure) {
                let bytes = try FileContents.bytes(logFile, atMost: Self.logBytesMax)
                log = String(decoding: bytes, as: UTF8.self)
            } catch {
                Terminal.complain("\(logFile) \(error).")
                throw ExitCode(2)
            }
        }
        try tool.run { [self, log] orders throws(OrderAdministrationError) in
            let findings = try await orders.check(ledger: ledger, log: log)
            if tool.json { Terminal.say(findings.json) } else { Self.say(findings) }
            return findings.isWhole ? 0 : 1
        }
    }

    /// The endpoint and the path of `http://HOST:PORT/PATH`.
    private static func location(_ url: String) -> (endpoint: Endpoint, path: String)? {
        guard url.hasPrefix("http://") else { return nil }
        let rest = url.dropFirst("http://".count)
        let authority = String(rest.prefix { $0 != "/" })
        var path = rest.dropFirst(authority.count)
        while path.last == "/" { path = path.dropLast() }
        let hasPort = authority.split(separator: "]").last?.contains(":") ?? false
        guard let endpoint = try? Endpoint(parsing: hasPort ? authority : "\(authority):80") else { return nil }
        return (endpoint, String(path))
    }

    private static func say(_ findings: OrderFindings) {
        let orders = findings.orders.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        Terminal.say("orders   \(orders.isEmpty ? "none" : orders.joined(separator: ", "))")
        Terminal.say("events   \(findings.events)")
        if let executions = findings.executions { Terminal.say("ledger   \(executions)") }
        if let taken = findings.taken { Terminal.say("log      \(taken) answered with 201") }
        if findings.unsettled > 0 {
            Terminal.say("pending  \(findings.unsettled) are in the ledger already, and their workers find out")
        }
        if findings.unreported > 0 {
            Terminal.say("behind   \(findings.unreported) are executed at the exchange, and a report will tell")
        }
        for promise in OrderPromise.allCases {
            guard let ids = findings.broken[promise] else { continue }
            Terminal.say("BROKEN   \(ids.count) \(promise.words)")
            for id in ids.prefix(namedMax) { Terminal.say("         \(id)") }
            if ids.count > namedMax { Terminal.say("         and \(ids.count - namedMax) more: --json names all") }
        }
        if findings.isWhole { Terminal.say("Every promise is kept.") }
    }
}
