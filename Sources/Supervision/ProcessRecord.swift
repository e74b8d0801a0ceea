import Glibc

/// A process, told apart from a later one that got the same pid.
///
/// Pids are used again; a pid together with the moment the process started is not.
public struct ProcessRecord: Equatable, Sendable {
    /// What runs in it, as in `gateway-1`.
    public let name: String
    /// Its process id.
    public let pid: CInt
    /// Clock ticks from boot to its start: field 22 of `/proc/PID/stat`. SeeAlso: proc(5).
    let startTicks: UInt64

    init(name: String, pid: CInt, startTicks: UInt64) {
        self.name = name
        self.pid = pid
        self.startTicks = startTicks
    }

    /// The record of a process that runs now; `nil` when there is none, or only a zombie.
    public init?(name: String, runningAs pid: CInt) {
        guard let text = Files.text("/proc/\(pid)/stat"), let ticks = Self.startTicks(ofRunning: text) else {
            return nil
        }
        self.init(name: name, pid: pid, startTicks: ticks)
    }

    /// Whether this very process still runs.
    public var isRunning: Bool { ProcessRecord(name: name, runningAs: pid) == self }

    /// Reads the start from a line of `/proc/PID/stat`; `nil` for a zombie or a line of another form.
    static func startTicks(ofRunning stat: String) -> UInt64? {
        // The second field is the program's name in brackets and may hold anything, brackets and spaces too.
        guard let bracket = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: bracket)...].split(separator: " ")
        guard fields.count > 19, !["Z", "X"].contains(fields[0]) else { return nil }
        return UInt64(fields[19])
    }
}

/// The processes that one `tickloop up` has running, as kept in a file for the next one.
public struct ProcessTable: Equatable, Sendable {
    /// By start, oldest first.
    public private(set) var records: [ProcessRecord] = []

    /// An empty table.
    public init() {}

    /// Reads a table; lines of another form are left out.
    public init(parsing text: String) {
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count == 3, let pid = CInt(fields[1]), pid > 1, let ticks = UInt64(fields[2]) else { continue }
            records.append(ProcessRecord(name: String(fields[0]), pid: pid, startTicks: ticks))
        }
    }

    /// One `name pid start` a line.
    public var text: String { records.map { "\($0.name) \($0.pid) \($0.startTicks)\n" }.joined() }

    /// Adds a process, instead of an earlier one of that name.
    public mutating func set(_ record: ProcessRecord) {
        remove(record.name)
        records.append(record)
    }

    /// Takes a process out.
    public mutating func remove(_ name: String) { records.removeAll { $0.name == name } }
}
