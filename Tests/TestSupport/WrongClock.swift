internal import Supervision

/// A process whose clock is wrong, as that of a machine that nobody looks after.
public enum WrongClock {
    /// What goes into the environment of such a process.
    ///
    /// - Parameter error: By how much its time of day is ahead.
    public static func environment(ahead error: Duration) throws -> [String: String] {
        let library = Files.parent(of: Executable.current) + "/libWrongClock.so"
        guard Files.isRegularFile(library) else {
            throw TestFailure(description: "\(library) is not built; run swift build first")
        }
        return ["LD_PRELOAD": library, "WRONG_CLOCK_SECONDS": "\(error.components.seconds)"]
    }
}
