/// Where PostgreSQL's programs are on this machine.
struct PostgresInstallation: Equatable, Sendable {
    /// The folder that holds `initdb`, `postgres`, `psql` and the others.
    let programs: String

    /// Debian keeps the server's programs out of `PATH`, in a folder per major version.
    private static let versions = "/usr/lib/postgresql"

    /// Finds the programs of the version that made the cluster, or else those in `PATH`, or else the newest.
    static func find(for cluster: String) throws(SupervisionError) -> PostgresInstallation {
        let names = newestFirst(Files.entries(ofFolder: versions))
        if let made = Files.text("\(cluster)/PG_VERSION")?.split(separator: "\n").first, names.contains(String(made)) {
            return PostgresInstallation(programs: "\(versions)/\(made)/bin")
        }
        guard let initdb = Executable.find("initdb", alsoIn: names.map { "\(versions)/\($0)/bin" }) else {
            throw .programNotFound(name: "PostgreSQL (initdb)", package: "postgresql")
        }
        // `PATH` may have links to some of the programs; the folder that they lead to has all.
        return PostgresInstallation(programs: Files.parent(of: Files.resolved(initdb)))
    }

    func path(of program: String) -> String { "\(programs)/\(program)" }

    /// Orders names of version folders, `15` before `9.6`; other names are left out.
    static func newestFirst(_ names: [String]) -> [String] {
        func numbers(_ name: String) -> [Int] { name.split(separator: ".").compactMap { Int($0) } }
        return names.filter { numbers($0).map(String.init).joined(separator: ".") == $0 && !$0.isEmpty }
            .sorted { numbers($1).lexicographicallyPrecedes(numbers($0)) }
    }
}
