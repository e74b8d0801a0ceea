import Glibc

/// Runs under simulated time, each made by a seed and the same whenever it is made again.
public enum Schedules {
    /// Makes runs with the seeds from 1 on, on all processors, and gives what is wrong with them; not of all, if many
    /// are at fault.
    ///
    /// `TICKLOOP_SCHEDULES` makes more or fewer than `count`, `TICKLOOP_SEED` begins with another one.
    public static func faults(count: UInt64, of run: @escaping @Sendable (UInt64) -> [String]) async -> [String] {
        let first = number("TICKLOOP_SEED") ?? 1
        let end = first + (number("TICKLOOP_SCHEDULES") ?? count)
        let processors = max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))
        return await withTaskGroup(of: [String].self) { group in
            for place in 0..<UInt64(processors) {
                group.addTask {
                    var faults: [String] = []
                    for seed in stride(from: first + place, to: end, by: processors) where faults.count < 10 {
                        faults += run(seed).map { "seed \(seed): \($0)" }
                    }
                    return faults
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private static func number(_ name: String) -> UInt64? {
        unsafe getenv(name).flatMap { UInt64(unsafe String(cString: $0)) }
    }
}
