import ArgumentParser
import Reactor

/// Measures how long answers take when requests arrive at a fixed rate.
@main
struct Latency: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "How long answers take when requests arrive at a fixed rate, whatever happens to those before.",
        discussion: """
            An open loop: each request has a time at which it is meant to be sent, and its latency counts from there. \
            A server that stalls for a second is charged for every request that arrived in that second, not only for \
            the few that happened to be under way. A request that cannot be sent, because as many as --outstanding \
            already wait, is counted as an error.

            TARGET is URL or NAME=URL. The path /prices/average without a query, which is also meant when there is no \
            path, is asked with random ranges of days; any other path is asked as it stands. Several targets are \
            measured in turns, a slice each, so that what else happens on the machine falls on all of them alike.

              latency --rate 2000 http://127.0.0.1:8080
              latency --rate 500 --svg both.svg new=http://127.0.0.1:8080 old=http://127.0.0.1:8081
              latency --rate 1000 http://127.0.0.1:8080/health
            """
    )

    @Argument(help: ArgumentHelp("What is asked.", valueName: "target"))
    var targets: [Target]

    @Option(help: "Requests per second to the target whose turn it is.")
    var rate: Double

    @Option(help: "Seconds for which each target is measured.")
    var duration = 10.0

    @Option(help: "Seconds for which each target is asked before anything counts.")
    var warmUp = 2.0

    @Option(help: "Longest time in seconds for which one target is measured before it is the next one's turn.")
    var slice = 2.0

    @Option(help: "Requests, and so connections, under way to one target at most.")
    var outstanding = 1024

    @Option(help: "Seconds after which an answer is not waited for any longer.")
    var timeout = 5.0

    @Option(help: "Lengths of the random ranges in days, SHORTEST-LONGEST or one number.")
    var days = DayCounts(1...30)

    @Option(help: "First day that ranges lie in.")
    var from = CalendarDay(year: 2025, month: 1, day: 1)

    @Option(help: "Last day that ranges lie in.")
    var to = CalendarDay(year: 2025, month: 12, day: 31)

    @Option(help: "Symbols to choose from at random, with commas between them; none: over all symbols.")
    var symbols = ""

    @Option(help: "Equal seeds make equal requests, for every target and in every run.")
    var seed: UInt64 = 1

    @Option(help: ArgumentHelp("Write the percentile curves to this file.", valueName: "file"))
    var svg: String?

    @Option(help: ArgumentHelp("Write everything to this file, for machines.", valueName: "file"))
    var json: String?

    func validate() throws {
        guard !targets.isEmpty else { throw ValidationError("Say at least one target.") }
        guard rate > 0, rate <= 1_000_000 else { throw ValidationError("--rate must be above 0, at most 1000000.") }
        guard duration > 0, slice > 0, timeout > 0, warmUp >= 0 else {
            throw ValidationError("--duration, --slice and --timeout must be positive, --warm-up not negative.")
        }
        guard (1...65_536).contains(outstanding) else { throw ValidationError("--outstanding must be 1 to 65536.") }
        guard CalendarDay.all(from, through: to).count >= days.range.upperBound else {
            throw ValidationError("The longest range does not fit between --from and --to.")
        }
        guard Set(targets.map(\.name)).count == targets.count else {
            throw ValidationError("Two targets have one name; say NAME=URL.")
        }
    }

    func run() throws {
        let dates = CalendarDay.all(from, through: to).map(\.description)
        let symbols = symbols.split(separator: ",").map(String.init)
        let plan = LoadPlan(
            rate: rate,
            duration: .seconds(duration),
            warmUp: .seconds(warmUp),
            slice: .seconds(slice),
            timeout: .seconds(timeout),
            outstandingMax: outstanding
        )
        let status = Reactor.run { [targets, days, seed, svg, json] in
            let lanes = targets.map { target in
                let ranges = RandomRanges(dates: dates, days: days.range, symbols: symbols, seed: seed)
                return Lane(target, Questions(of: target, ranges), plan)
            }
            await LoadRun(lanes, plan).run()

            let report = Report(rate: plan.rate, results: lanes.map { TargetResult($0.target, $0.tally) })
            print(report.table)
            var isWritten = true
            if let svg { isWritten = TextFile.write(PercentilePlot(report).svg, to: svg) && isWritten }
            if let json { isWritten = TextFile.write(report.json, to: json) && isWritten }
            return isWritten ? 0 : 1
        }
        throw ExitCode(status)
    }
}
