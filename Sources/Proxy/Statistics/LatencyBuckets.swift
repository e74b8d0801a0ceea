/// Buckets for durations: 16 to an octave of microseconds, so that those of any processes and times can be added up.
///
/// The middle of a bucket is at most 1/32 of a duration away from it.
enum LatencyBuckets {
    static func bucket(ofMicroseconds duration: Int) -> Int {
        let duration = max(0, duration)
        guard duration >= 16 else { return duration }
        let octave = Int.bitWidth - 1 - duration.leadingZeroBitCount
        return (octave - 3) * 16 + (duration >> (octave - 4)) & 15
    }

    /// The middle of a bucket, in microseconds.
    static func microseconds(ofBucket bucket: Int) -> Double {
        guard bucket >= 16 else { return Double(bucket) }
        let shift = bucket / 16 - 1
        let start = (16 + bucket % 16) << shift
        return Double(start) + Double((1 << shift) - 1) / 2
    }
}

/// How long requests took, by bucket.
struct LatencyDistribution {
    private var counts: [Int: Int] = [:]
    private(set) var requests = 0
    private var total = 0
    private var longest = 0

    mutating func add(bucket: Int, requests: Int, microseconds: Int, longest: Int) {
        counts[bucket, default: 0] += requests
        self.requests += requests
        total += microseconds
        self.longest = max(self.longest, longest)
    }

    /// In seconds; exact.
    var mean: Double { Double(total) / Double(requests) / 1_000_000 }
    /// In seconds; exact.
    var max: Double { Double(longest) / 1_000_000 }

    /// In seconds: at least `share` of the requests took no longer.
    func percentile(_ share: Double) -> Double {
        let rank = Int((share * Double(requests)).rounded(.up))
        var seen = 0
        for (bucket, count) in counts.sorted(by: { $0.key < $1.key }) {
            seen += count
            if seen >= rank { return min(LatencyBuckets.microseconds(ofBucket: bucket) / 1_000_000, max) }
        }
        return max
    }

    private func min(_ left: Double, _ right: Double) -> Double { left < right ? left : right }
    private func max(_ left: Int, _ right: Int) -> Int { left > right ? left : right }
}
