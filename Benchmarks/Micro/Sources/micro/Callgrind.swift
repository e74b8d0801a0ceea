internal import Glibc

/// Counts the instructions of one operation with valgrind: the same each time, also on virtual machines, which seldom
/// pass on the processor's counters. Those of the kernel are not in it.
struct Callgrind {
    private static let operations = (few: 300, many: 1300)

    private let folder: String

    /// nil where there is no valgrind.
    init?() {
        folder = "/tmp/micro-callgrind-\(getpid())"
        // Without debug information, which valgrind does not need, and older ones cannot read.
        let strip = ["llvm-objcopy", "--strip-debug", Command.itself()[0], folder + "/micro"]
        guard Command.output(["valgrind", "--version"]) != nil, Command.output(["mkdir", folder]) != nil,
            Command.output(strip) != nil
        else { return nil }
    }

    /// Removes its files.
    func close() { _ = Command.output(["rm", "-r", folder]) }

    /// Two runs of different length, so that what is done once falls out.
    func instructions(of benchmark: Benchmark) -> Double? {
        guard let few = total(benchmark, Self.operations.few), let many = total(benchmark, Self.operations.many) else {
            return nil
        }
        return Double(many - few) / Double(Self.operations.many - Self.operations.few)
    }

    /// Instructions of the main thread, which is the counted one, in one run.
    private func total(_ benchmark: Benchmark, _ count: Int) -> Int? {
        let valgrind = ["valgrind", "--tool=callgrind", "--separate-threads=yes"]
        let files = ["--callgrind-out-file=\(folder)/counts", "--log-file=\(folder)/log"]
        let run = [folder + "/micro", "repeat", benchmark.name, "\(count)"]
        guard Command.output(valgrind + files + run) != nil, let text = Command.contents(of: folder + "/counts-01")
        else { return nil }
        let totals = text.split(separator: "\n").last { $0.hasPrefix("totals: ") || $0.hasPrefix("summary: ") }
        return totals?.split(separator: " ").last.flatMap { Int($0) }
    }
}
