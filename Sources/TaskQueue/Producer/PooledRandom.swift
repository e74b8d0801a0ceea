internal import Glibc

/// The kernel's random numbers, fetched many at a time: one system call for each id is a measurable part of a task.
///
/// - SeeAlso: getentropy(3).
struct PooledRandom: RandomNumberGenerator {
    /// 256 bytes: what getentropy(3) gives at most.
    private static let poolWords = 32

    private var pool: [UInt64] = []

    mutating func next() -> UInt64 {
        if let word = pool.popLast() { return word }
        pool = [UInt64](repeating: 0, count: Self.poolWords)
        let status = unsafe pool.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return CInt(-1) }
            return unsafe getentropy(start, bytes.count)
        }
        precondition(status == 0, "getentropy failed")
        return pool.removeLast()
    }
}
