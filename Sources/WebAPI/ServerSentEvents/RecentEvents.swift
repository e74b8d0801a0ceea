/// What has a place in a series of growing numbers.
protocol Numbered {
    var number: Int64 { get }
}

/// The last elements of a series, and from where on it is whole. Pure.
struct RecentEvents<Element: Numbered> {
    private let countMax: Int
    private var elements: [Element] = []
    /// Everything with a number after this one is here.
    private(set) var floor: Int64

    /// - Parameter countMax: So many are kept at least, and less than twice as many.
    init(after floor: Int64, countMax: Int) {
        self.floor = floor
        self.countMax = countMax
    }

    /// The last of the series has come.
    mutating func append(_ element: Element) {
        elements.append(element)
        guard elements.count == 2 * countMax else { return }
        floor = elements[countMax - 1].number
        elements.removeFirst(countMax)
    }

    /// The first ones after a number; nil if some of them are not here any more.
    func elements(after number: Int64, atMost limit: Int) -> ArraySlice<Element>? {
        guard number >= floor else { return nil }
        var (low, high) = (0, elements.count)
        while low < high {
            let middle = (low + high) / 2
            if elements[middle].number > number { high = middle } else { low = middle + 1 }
        }
        return elements[low...].prefix(limit)
    }
}
