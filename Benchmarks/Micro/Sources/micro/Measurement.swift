internal import CMeasure

/// What one operation asks of the heap.
struct Allocations: Equatable, Sendable {
    var calls: Double
    var bytes: Double

    private static let warmUp = 300
    private static let batchSize = 100
    private static let batches = 31

    /// Counts in the steady state, in whole calls.
    ///
    /// Each operation's own allocations are in every batch. What comes beside them only adds: the date written anew each
    /// second, a connection to an absent Redis tried again, and arrays that many operations fill, which grow a few times
    /// in each batch and so add less than one call to an operation.
    static func count(_ workload: Workload) -> Allocations {
        workload(warmUp)
        var calls: [Double] = []
        var bytes: [Double] = []
        calls.reserveCapacity(batches)
        bytes.reserveCapacity(batches)
        for _ in 0..<batches {
            let before = allocations_so_far()
            workload(batchSize)
            let after = allocations_so_far()
            calls.append(Double(after.calls - before.calls) / Double(batchSize))
            bytes.append(Double(after.bytes - before.bytes) / Double(batchSize))
        }
        return Allocations(calls: (calls.min() ?? 0).rounded(.down), bytes: bytes.min() ?? 0)
    }
}

/// The CPU time of one operation in nanoseconds, that of the kernel on its behalf included: the median of batches.
func nanoseconds(_ workload: Workload) -> Double {
    let batches = 31
    let batchNanoseconds: UInt64 = 5_000_000
    func time(_ count: Int) -> UInt64 {
        let start = allocations_thread_nanoseconds()
        workload(count)
        return allocations_thread_nanoseconds() - start
    }
    var count = 100
    while time(count) < batchNanoseconds { count *= 2 }
    return median(of: (0..<batches).map { _ in Double(time(count)) / Double(count) })
}

private func median(of values: [Double]) -> Double { values.sorted()[values.count / 2] }
