import Basics
import Reactor

/// Where the files of a private PostgreSQL are.
struct PostgresPlace: Equatable {
    let cluster: String
    /// Beside the cluster and as closed as it is.
    let socketFolder: String
    let isSocketPathShort: Bool

    /// - Parameters:
    ///   - folder: The data folder, absolute.
    ///   - canReach: Whether the account that runs the server may get to a path; a folder below `/root` is closed to
    ///     it.
    init(folder: String, port: UInt16, canReach: (String) -> Bool) {
        let root = canReach("\(folder)/postgres") ? folder : "/var/lib/tickloop/\(Self.fingerprint(of: folder))"
        cluster = "\(root)/postgres"
        socketFolder = "\(root)/postgres-socket"
        isSocketPathShort = "\(socketFolder)/.s.PGSQL.\(port)".utf8.count <= Endpoint.longestUnixPathBytes
    }

    /// A name for a path: FNV-1a, 64 bits. Two data folders of one machine must not share a cluster.
    static func fingerprint(of path: String) -> String {
        Hexadecimal.text(FNV1a.hash(path.utf8.span))
    }
}
