/// Decides which quotes go into which commit. Pure: what happened goes in, what to commit comes out.
///
/// Group commit without a timer: what comes while one commit is under way is the next one. There is one at a time,
/// because writers of one month take turns in the database anyway.
struct QuoteBatches<Element>: ~Copyable {
    /// Of one commit. Beyond, a larger commit takes longer and is no cheaper for each.
    private let batchMax: Int
    private var waiting: [Element] = []
    /// Parts of commits that were refused for a value of some quote; they go first.
    private var parts: [[Element]] = []
    private var current: [Element] = []

    init(batchMax: Int) { self.batchMax = batchMax }

    /// Quotes that wait for a commit or are in one.
    var count: Int { waiting.count + parts.reduce(current.count) { $0 + $1.count } }

    /// A quote has come; it goes out with the next ``next()``.
    mutating func offered(_ element: Element) { waiting.append(element) }

    /// What to commit now; nil while a commit is under way or there is nothing to do.
    mutating func next() -> [Element]? {
        guard current.isEmpty else { return nil }
        if let part = parts.popLast() {
            current = part
        } else {
            current = Array(waiting.prefix(batchMax))
            waiting.removeFirst(current.count)
        }
        return current.isEmpty ? nil : current
    }

    /// The commit is done, or there is no sense in another try.
    mutating func ended() { current = [] }

    /// The commit was refused for a value of some quote: both halves of it are tried. Returns the quote if there is
    /// but one.
    mutating func refused() -> Element? {
        defer { current = [] }
        guard current.count > 1 else { return current.first }
        let middle = current.count / 2
        parts += [Array(current[middle...]), Array(current[..<middle])]
        return nil
    }
}
