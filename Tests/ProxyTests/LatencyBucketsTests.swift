import Testing

@testable import Proxy

@Suite struct LatencyBucketsTests {
    @Test func `the middle of a bucket is near everything in it, and buckets are in order`() {
        var last = 0
        for exponent in 0..<400 {
            let duration = Int(1.07.power(exponent))
            let bucket = LatencyBuckets.bucket(ofMicroseconds: duration)
            #expect(bucket >= last)
            last = bucket
            let error = abs(LatencyBuckets.microseconds(ofBucket: bucket) - Double(duration))
            #expect(error <= Double(duration) / 32)
        }
        #expect(LatencyBuckets.bucket(ofMicroseconds: -1) == 0)
    }

    @Test func `percentiles are those of the whole, however it came together`() {
        var distribution = LatencyDistribution()
        for duration in 1...1000 {
            let microseconds = duration * 1000
            distribution.add(
                bucket: LatencyBuckets.bucket(ofMicroseconds: microseconds),
                requests: 1,
                microseconds: microseconds,
                longest: microseconds
            )
        }
        #expect(distribution.mean == 0.5005)
        #expect(distribution.max == 1)
        for share in [0.5, 0.9, 0.99] {
            #expect(abs(distribution.percentile(share) - share) <= share / 31)
        }
    }
}

extension Double {
    fileprivate func power(_ exponent: Int) -> Double { (0..<exponent).reduce(1) { product, _ in product * self } }
}
