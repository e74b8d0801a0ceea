/// Puts numbered reports into their order: none is missing, and none is there twice. Pure.
struct ReportSequence {
    /// Reports kept beyond a gap. What comes beyond is fetched again.
    private static let aheadMax = 5000

    /// Up to here all have come, or were passed over.
    private(set) var end: Int
    /// The highest number that was heard of.
    private(set) var known: Int
    /// Those up to ``end`` that nobody has taken out, in order.
    private(set) var ready: [ExecutionReport] = []
    /// Those behind a gap.
    private var ahead: [Int: ExecutionReport] = [:]
    /// Those that had come before.
    private(set) var repeated = 0

    /// - Parameter end: Up to where all were taken in earlier.
    init(after end: Int) {
        self.end = end
        known = end
    }

    /// A report has come.
    mutating func take(_ report: ExecutionReport) {
        known = max(known, report.number)
        guard report.number > end, ahead[report.number] == nil else {
            repeated += 1
            return
        }
        guard report.number == end + 1 else {
            if ahead.count < Self.aheadMax { ahead[report.number] = report }
            return
        }
        append(report)
        joinAhead()
    }

    /// The exchange says which number is its last.
    mutating func heard(last: Int) { known = max(known, last) }

    /// Whether anything that was heard of is missing.
    var hasGap: Bool { known > end }

    /// The first numbers that are missing: how many, after which.
    var gap: (after: Int, count: Int)? {
        guard hasGap else { return nil }
        return (end, (ahead.keys.min() ?? known + 1) - end - 1)
    }

    /// Nobody has what is missing first: goes on behind it.
    mutating func passOverGap() {
        guard let gap else { return }
        end += gap.count
        joinAhead()
    }

    /// The first of ``ready`` were taken in.
    mutating func removeFirst(_ count: Int) { ready.removeFirst(count) }

    private mutating func joinAhead() {
        while let next = ahead.removeValue(forKey: end + 1) { append(next) }
    }

    private mutating func append(_ report: ExecutionReport) {
        ready.append(report)
        end = report.number
    }
}
