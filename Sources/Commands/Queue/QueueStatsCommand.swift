import ArgumentParser
import Basics
import JSONWire
import Reactor
import Redis
import TaskQueue

struct QueueStatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "How much waits, runs, is delayed and is dead; who works; totals so far."
    )
    @Flag(help: "Show them anew every second, until Ctrl-C.")
    var watch = false

    @OptionGroup var tool: QueueTool

    func run() throws {
        try tool.run { [self] queue throws(RedisError) in
            guard watch else {
                _ = show(try await queue.statistics())
                return 0
            }
            // Redis may go and come back meanwhile; that is worth watching, too.
            while true {
                let goesOn: Bool
                do throws(RedisError) { goesOn = show(try await queue.statistics()) } catch {
                    goesOn = Terminal.say(tool.json ? Self.json(error) : "\(clearing)The broker failed: \(error).")
                }
                // Nobody reads any more, as when the output goes to `head`.
                guard goesOn, (try? await Reactor.sleep(for: .seconds(1))) != nil else { return 0 }
            }
        }
    }

    /// Cursor to the upper left corner and the screen cleared (ECMA-48), where there is one.
    private var clearing: String { Terminal.isTerminal && watch ? "\u{1b}[H\u{1b}[2J" : "" }

    /// - Returns: Whether anybody reads it.
    private func show(_ statistics: QueueStatistics) -> Bool {
        if tool.json { return Terminal.say(Self.json(statistics)) }
        let end = watch && !Terminal.isTerminal ? "\n" : ""
        return Terminal.say(clearing + Self.lines(statistics).joined(separator: "\n") + end)
    }

    private static func lines(_ statistics: QueueStatistics) -> [String] {
        var lines = [
            "queued    \(statistics.queued)",
            "running   \(statistics.running)",
            "delayed   \(statistics.delayed)",
            "dead      \(statistics.dead)",
            "oldest    \(statistics.oldestAge?.inSeconds ?? "none waits or runs")",
            "paused    \(statistics.isPaused ? "yes" : "no")", "",
        ]
        var workers = Listing(["worker", "holds", "idle"])
        for consumer in statistics.consumers {
            workers.append([consumer.name, "\(consumer.pending)", consumer.idle.inSeconds], json: [])
        }
        lines += workers.rows.isEmpty ? ["No worker has taken a task yet."] : workers.lines
        var totals = Listing(["total", "tasks"])
        for (name, count) in statistics.totals.sorted(by: { $0.key < $1.key }) {
            totals.append([name, "\(count)"], json: [])
        }
        lines += [""] + (totals.rows.isEmpty ? ["No task was submitted yet."] : totals.lines)
        return lines
    }

    private static func json(_ statistics: QueueStatistics) -> String {
        JSONWriter.text { writer in
            writer.member("queued", statistics.queued)
            writer.member("running", statistics.running)
            writer.member("delayed", statistics.delayed)
            writer.member("dead", statistics.dead)
            if let age = statistics.oldestAge { writer.member("oldest_ms", age.wholeMilliseconds) }
            writer.member("paused", statistics.isPaused)
            writer.key("workers")
            writer.array { writer in
                for consumer in statistics.consumers {
                    writer.object { writer in
                        writer.member("name", consumer.name)
                        writer.member("holds", consumer.pending)
                        writer.member("idle_ms", consumer.idle.wholeMilliseconds)
                    }
                }
            }
            writer.key("totals")
            writer.object { writer in
                for (name, count) in statistics.totals.sorted(by: { $0.key < $1.key }) { writer.member(name, count) }
            }
        }
    }

    private static func json(_ error: RedisError) -> String {
        JSONWriter.text { $0.member("error", error.description) }
    }
}
