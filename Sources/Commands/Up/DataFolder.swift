import Glibc
import Reactor
import Supervision

/// The files of one `tickloop up`, in its data folder.
///
///     DIR/postgres/       the cluster (elsewhere if its account cannot come here, see PostgresPlace)
///     DIR/redis/          append-only file and configuration
///     DIR/password        of the cluster's roles
///     DIR/ports           which port each process has; kept for the next start
///     DIR/run/lock        held while `up` runs
///     DIR/run/NAME.pid    one for each process that runs now
///     DIR/run/processes   the same with their start times, for the next `up` to tell what was left behind
///     DIR/run/env         addresses, for a shell; there while everything is up
///     DIR/run/targets.json  the same for Prometheus: where each process answers /metrics
struct DataFolder {
    let path: String
    private var table = ProcessTable()

    var run: String { "\(path)/run" }
    var environmentFile: String { "\(run)/env" }
    var targetsFile: String { "\(run)/targets.json" }
    private var portsFile: String { "\(path)/ports" }
    private var tableFile: String { "\(run)/processes" }

    /// Makes the folders that are missing.
    init(_ path: String) throws(SupervisionError) {
        self.path = path
        try Files.createFolder(run)
    }

    func lock() throws(SupervisionError) -> FolderLock { try FolderLock(folder: path, file: "\(run)/lock") }

    /// The processes that an earlier `up` started, and that have outlived it.
    func processesLeftBehind() -> [ProcessRecord] { Self.processes(in: path) }

    /// The processes that an `up` has started in a folder, and that still run.
    static func processes(in folder: String) -> [ProcessRecord] {
        ProcessTable(parsing: Files.text("\(folder)/run/processes") ?? "").records.filter(\.isRunning)
    }

    /// Removes what an earlier `up` wrote here and could not remove.
    func removeStaleFiles() {
        removeAddresses()
        Files.remove(tableFile)
        for name in Files.entries(ofFolder: run) where name.hasSuffix(".pid") || name.hasSuffix(".sock") {
            Files.remove("\(run)/\(name)")
        }
    }

    /// Removes what is only there while everything is up.
    func removeAddresses() {
        Files.remove(environmentFile)
        Files.remove(targetsFile)
    }

    mutating func processStarted(_ name: String, pid: CInt) throws(SupervisionError) {
        if let record = ProcessRecord(name: name, runningAs: pid) { table.set(record) }
        try Files.write(table.text, to: tableFile)
        try Files.write("\(pid)\n", to: "\(run)/\(name).pid")
    }

    mutating func processEnded(_ name: String) throws(SupervisionError) {
        table.remove(name)
        Files.remove("\(run)/\(name).pid")
        try Files.write(table.text, to: tableFile)
    }

    /// The ports of the last start.
    func ports(except given: Set<UInt16>) -> PortBook { PortBook(parsing: Files.text(portsFile) ?? "", except: given) }

    /// Keeps the ports for the next start.
    func keep(_ ports: PortBook) throws(SupervisionError) { try Files.write(ports.text, to: portsFile) }

    /// Whether no `up` has ever got far enough here to need PostgreSQL.
    var isNew: Bool { !Files.isRegularFile("\(path)/password") }

    /// The password of the private PostgreSQL: made once, because the cluster keeps it.
    func password() throws(SupervisionError) -> String {
        let file = "\(path)/password"
        if let text = Files.text(file)?.split(separator: "\n").first { return String(text) }
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
        var generator = SystemRandomNumberGenerator()  // getrandom(2)
        let password = String((0..<32).map { _ in letters[Int.random(in: letters.indices, using: &generator)] })
        try Files.write(password + "\n", to: file, mode: 0o600)
        return password
    }
}
