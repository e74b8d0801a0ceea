import Supervision

/// Which port each process of a data folder had, so that it gets the same again.
///
/// Whoever noted an address, a dashboard or a script, finds it at the next start; only a port that somebody else has
/// taken meanwhile is given up.
struct PortBook: Equatable {
    private(set) var ports: [String: UInt16] = [:]
    private var given: Set<UInt16>

    /// - Parameters:
    ///   - text: What ``text`` said; lines that are none of it are passed over.
    ///   - given: Ports that are not to be had.
    init(parsing text: String = "", except given: Set<UInt16>) {
        self.given = given
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let port = UInt16(words[1]), port > 0 { ports[String(words[0])] = port }
        }
    }

    /// A line for each: `api-1 20003`.
    var text: String { ports.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined() }

    /// The port of a process: as last time if it is free, else another that is.
    mutating func port(
        of name: String,
        isFree: (UInt16) -> Bool = FreePort.isFree,
        choose: (Set<UInt16>) throws(SupervisionError) -> UInt16 = FreePort.choose
    ) throws(SupervisionError) -> UInt16 {
        if let port = ports[name], !given.contains(port), isFree(port) {
            given.insert(port)
            return port
        }
        // Also none of those that others here may still want back.
        let port = try choose(given.union(ports.values))
        ports[name] = port
        given.insert(port)
        return port
    }
}
