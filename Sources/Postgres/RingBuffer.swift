/// A queue in one allocation that grows by doubling; its owner bounds it.
struct RingBuffer<Element> {
    private var slots: [Element?]
    private var head = 0
    private(set) var count = 0

    init(minimumCapacity: Int = 16) {
        slots = Array(repeating: nil, count: max(1, minimumCapacity))
    }

    var isEmpty: Bool { count == 0 }

    /// The oldest element; the buffer must not be empty.
    var first: Element {
        get { self[0] }
        set { self[0] = newValue }
    }

    /// The `offset`-th oldest element.
    subscript(offset: Int) -> Element {
        get {
            precondition(offset < count)
            guard let element = slots[index(offset)] else { preconditionFailure("a hole in the ring buffer") }
            return element
        }
        set {
            precondition(offset < count)
            slots[index(offset)] = newValue
        }
    }

    mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[index(count)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head]
        slots[head] = nil
        head = index(1)
        count -= 1
        return element
    }

    /// Takes out every element that `isWanted` says so of, keeping the order of the rest.
    mutating func remove(where isWanted: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for _ in 0..<count {
            guard let element = popFirst() else { break }
            if isWanted(element) { removed.append(element) } else { append(element) }
        }
        return removed
    }

    private func index(_ offset: Int) -> Int {
        let index = head + offset
        return index < slots.count ? index : index - slots.count
    }

    private mutating func grow() {
        let elements = (0..<count).map { self[$0] }
        slots = elements + Array(repeating: nil, count: slots.count)
        head = 0
    }
}
