public import Reactor

/// Choosing TCP ports for the private servers of this machine.
public enum FreePort {
    /// A port of 127.0.0.1 that nobody listens on now.
    ///
    /// Taken from below the kernel's range of ephemeral ports, and not by asking for "any": a client that keeps
    /// reconnecting to a server that is down would sooner or later get the server's ephemeral port as its own source
    /// port, connect to *itself* (TCP's simultaneous open), and hold the port against the server's return.
    ///
    /// - Parameter taken: Ports that were given out already and need not be in use yet.
    static func choose(
        except taken: Set<UInt16> = [],
        using generator: inout some RandomNumberGenerator
    ) throws(SupervisionError) -> UInt16 {
        let range = candidates(ephemeral: Files.text("/proc/sys/net/ipv4/ip_local_port_range") ?? "")
        for _ in 0..<200 {
            let port = UInt16.random(in: range, using: &generator)
            if !taken.contains(port), isFree(port) { return port }
        }
        throw .noFreePort
    }

    /// A port that nobody listens on now; see ``choose(except:using:)``.
    public static func choose(except taken: Set<UInt16> = []) throws(SupervisionError) -> UInt16 {
        var generator = SystemRandomNumberGenerator()
        return try choose(except: taken, using: &generator)
    }

    /// Whether 127.0.0.1 lets us listen there now.
    public static func isFree(_ port: UInt16) -> Bool { obstacle(to: port) == nil }

    /// Why 127.0.0.1 does not let us listen there now; nil if it does.
    public static func obstacle(to port: UInt16) -> SystemError? {
        do {
            // Bound and listening, because two sockets may be bound to one port when only one of them may listen.
            _ = try Sockets.listen(on: .ipv4([127, 0, 0, 1], port: port))
            return nil
        } catch {
            return error
        }
    }

    /// The ports to choose from, given `/proc/sys/net/ipv4/ip_local_port_range` ("low<tab>high").
    static func candidates(ephemeral text: String) -> ClosedRange<UInt16> {
        let usual: ClosedRange<UInt16> = 20_000...32_767
        let bounds = text.split { $0 == "\t" || $0 == " " || $0 == "\n" }.compactMap { UInt16($0) }
        guard bounds.count == 2, bounds[0] <= bounds[1] else { return usual }
        if bounds[0] >= 12_000 { return min(20_000, bounds[0] - 2_000)...(bounds[0] - 1) }
        if bounds[1] <= 60_000 { return (bounds[1] + 1)...65_535 }
        // Nearly everything is ephemeral: the danger above cannot be avoided.
        return usual
    }
}
