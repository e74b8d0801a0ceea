internal import ArgumentParser

/// `micro`: what single operations and whole requests cost.
@main
struct Micro: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "micro",
        abstract: "What single operations, and whole requests inside a gateway, cost.",
        subcommands: [
            TableCommand.self, CheckCommand.self, UpdateCommand.self, TraceCommand.self, MeasureCommand.self,
            RepeatCommand.self,
        ],
        defaultSubcommand: TableCommand.self
    )
}

struct TableCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "table",
        abstract: "Print time, allocations and instructions of each operation (the default)."
    )

    @Option(help: "Only those whose name contains this.")
    var filter = ""

    @Flag(inversion: .prefixedNo, help: "Count instructions with valgrind, which takes a minute.")
    var instructions = true

    func run() throws {
        let benchmarks = Benchmark.all.filter { filter.isEmpty || $0.name.contains(filter) }
        let callgrind = instructions ? Callgrind() : nil
        if instructions, callgrind == nil { Command.complain("No valgrind here: instructions are not counted.") }
        defer { callgrind?.close() }
        print(row("", ["CPU ns", "allocations", "bytes", "instructions"]))
        for benchmark in benchmarks {
            let measured = try Measured(benchmark)
            let instructions = callgrind.flatMap { $0.instructions(of: benchmark) }
            print(
                row(
                    benchmark.name,
                    [
                        grouped(measured.nanoseconds), shortest(measured.allocations.calls),
                        grouped(measured.allocations.bytes), instructions.map(grouped) ?? "n/a",
                    ]
                )
            )
        }
    }

    private func row(_ name: String, _ columns: [String]) -> String {
        let padding = String(repeating: " ", count: max(0, 30 - name.count))
        return columns.reduce(name + padding) { line, column in
            line + String(repeating: " ", count: max(1, 14 - column.count)) + column
        }
    }
}

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compare the allocations of each operation with those expected; fail if there are more."
    )

    @Argument(help: "The file of expected counts.")
    var file: String

    func run() throws {
        let expected = try AllocationFile(reading: file)
        guard expected.toolchain == .current else {
            Command.complain("Not compared: \(file) is for \(expected.toolchain), this is \(Toolchain.current).")
            return
        }
        let counted = try counted()
        let savings = expected.savings(of: counted)
        if !savings.isEmpty {
            print("Fewer allocations than in \(file); if a change made it so, write it down: micro update \(file)")
            for saving in savings { print("  \(saving)") }
        }
        let excesses = expected.excesses(of: counted)
        guard excesses.isEmpty else {
            print("More allocations than in \(file):")
            for excess in excesses { print("  \(excess)") }
            print("Who allocates: micro trace NAME. If it is meant: micro update \(file)")
            throw ExitCode.failure
        }
        print("\(expected.counts.count) operations allocate no more often than expected.")
    }
}

struct UpdateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Write the file of expected counts anew."
    )

    @Argument(help: "The file of expected counts.")
    var file: String

    func run() throws {
        let text = AllocationFile(toolchain: .current, counts: try counted()).text
        guard Command.write(text, to: file) else { throw ValidationError("cannot write \(file)") }
        print(text, terminator: "")
    }
}

struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Print who allocates in one operation, with the stack of each call."
    )

    @Argument(help: "The operation, as in the table.")
    var name: String

    @Option(help: "Most frames printed of each stack.")
    var frames = 8

    @Flag(help: "Only those that are not in every operation.")
    var rare = false

    func run() throws {
        let benchmark = try find(name)
        let (frames, rare) = (frames, rare)
        benchmark.run { AllocationTrace(of: $0).print(frames: frames, rare: rare) }
    }
}

struct MeasureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure",
        abstract: "Print calls, bytes and nanoseconds of one operation: what the others run in a process of its own.",
        shouldDisplay: false
    )

    @Argument var name: String
    @Flag var allocationsOnly = false

    func run() throws {
        let benchmark = try find(name)
        let allocationsOnly = allocationsOnly
        benchmark.run { workload in
            let allocations = Allocations.count(workload)
            let time = allocationsOnly ? 0 : nanoseconds(workload)
            print(allocations.calls, allocations.bytes, time)
        }
    }
}

struct RepeatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repeat",
        abstract: "Do one operation so many times: what runs under valgrind.",
        shouldDisplay: false
    )

    @Argument var name: String
    @Argument var count: Int

    func run() throws {
        let count = count
        try find(name).run { $0(count) }
    }
}

/// What one benchmark's own process found.
struct Measured {
    let allocations: Allocations
    let nanoseconds: Double

    init(_ benchmark: Benchmark, allocationsOnly: Bool = false) throws {
        let flags = allocationsOnly ? ["--allocations-only"] : []
        let output = Command.output(Command.itself("measure", benchmark.name) + flags)
        let numbers = output?.split(whereSeparator: \.isWhitespace).compactMap { Double($0) } ?? []
        guard numbers.count == 3 else { throw ValidationError("\(benchmark.name) failed; its messages are above") }
        allocations = Allocations(calls: numbers[0], bytes: numbers[1])
        nanoseconds = numbers[2]
    }
}

private func counted() throws -> [AllocationFile.Count] {
    try Benchmark.all.filter(\.isExact).map { benchmark in
        let measured = try Measured(benchmark, allocationsOnly: true)
        return AllocationFile.Count(name: benchmark.name, calls: measured.allocations.calls)
    }
}

private func find(_ name: String) throws -> Benchmark {
    guard let benchmark = Benchmark.all.first(where: { $0.name == name }) else {
        throw ValidationError("no \(name); there are \(Benchmark.all.map(\.name).joined(separator: ", "))")
    }
    return benchmark
}
