/// Values by key within a number of bytes. What is asked for once leaves soon, what is asked for again stays, so that a
/// client that walks through everything does not empty it (S3-FIFO: two queues and a memory of what left the first).
///
///     new ──▶ small (a tenth) ──asked again──▶ main ──asked again since──▶ main
///                 └──── not ───▶ gone, remembered ──comes back──▶ main
struct ScanResistantStore<Key: Hashable, Value> {
    private struct Entry {
        var value: Value
        var bytes: Int
        /// How often it was asked for, up to a few.
        var uses = 0
        var isMain: Bool
        /// Which place in a queue is its own; another one is a trace of an earlier stay.
        var ticket: Int
    }

    /// First in, first out, with a moving start.
    private struct Queue {
        private var places: [(key: Key, ticket: Int)] = []
        private var start = 0
        var bytes = 0

        /// Places, those of the past among them.
        var count: Int { places.count - start }

        mutating func append(_ key: Key, _ ticket: Int) { places.append((key, ticket)) }

        /// Keeps the places that are somebody's still.
        mutating func clear(isTaken: (_ key: Key, _ ticket: Int) -> Bool) {
            places = places[start...].filter { isTaken($0.key, $0.ticket) }
            start = 0
        }

        mutating func popFirst() -> (key: Key, ticket: Int)? {
            guard start < places.count else { return nil }
            defer {
                start += 1
                if start > 64, start * 2 > places.count {
                    places.removeFirst(start)
                    start = 0
                }
            }
            return places[start]
        }
    }

    /// More uses than this are not told apart.
    private static var usesMax: Int { 3 }
    /// What an entry weighs beside key and value: its share of the tables.
    private static var overheadBytes: Int { 256 }

    /// Most bytes of all entries.
    let byteLimit: Int
    private var entries: [Key: Entry] = [:]
    private var small = Queue()
    private var main = Queue()
    /// Hashes of keys that left the small queue unused, and their order.
    private var remembered: Set<Int> = []
    private var rememberedOrder: [Int] = []
    private var rememberedStart = 0
    private var lastTicket = 0
    /// Entries that were dropped to make room.
    private(set) var evictions = 0

    init(byteLimit: Int) { self.byteLimit = byteLimit }

    /// Bytes that are in use.
    var byteCount: Int { small.bytes + main.bytes }
    /// How many entries there are.
    var count: Int { entries.count }
    /// How many places the queues have; for tests.
    var placeCount: Int { small.count + main.count }
    /// All keys, in no order.
    var keys: [Key] { Array(entries.keys) }

    /// The value of a key, which counts as a use.
    mutating func value(_ key: Key) -> Value? {
        guard let index = entries.index(forKey: key) else { return nil }
        if entries.values[index].uses < Self.usesMax { entries.values[index].uses += 1 }
        return entries.values[index].value
    }

    /// Puts a value in the place of the one before; drops others to make room, or this one if it alone is too large.
    mutating func insert(_ value: Value, bytes: Int, for key: Key) {
        let before = entries[key]
        remove(key)
        let cost = bytes + Self.overheadBytes
        guard cost <= byteLimit else { return }
        lastTicket += 1
        let isMain = before?.isMain ?? (remembered.remove(key.hashValue) != nil)
        entries[key] = Entry(value: value, bytes: cost, uses: before?.uses ?? 0, isMain: isMain, ticket: lastTicket)
        enqueue(key, isMain, cost)
        while byteCount > byteLimit { evictOne() }
    }

    /// Removes a key; whether it was there.
    @discardableResult
    mutating func remove(_ key: Key) -> Bool {
        guard let entry = entries.removeValue(forKey: key) else { return false }
        if entry.isMain { main.bytes -= entry.bytes } else { small.bytes -= entry.bytes }
        return true
    }

    mutating func removeAll() {
        let evictions = evictions
        self = Self(byteLimit: byteLimit)
        self.evictions = evictions
    }

    private mutating func enqueue(_ key: Key, _ isMain: Bool, _ cost: Int) {
        if isMain {
            main.append(key, lastTicket)
            main.bytes += cost
        } else {
            small.append(key, lastTicket)
            small.bytes += cost
        }
        clearPlaces()
    }

    /// Gives places up whose entries are gone or have others: while nothing has to leave, no queue comes to its end,
    /// and what is put in anew each second would leave a place there each time.
    private mutating func clearPlaces() {
        guard placeCount > 2 * entries.count + 64 else { return }
        let entries = entries
        small.clear { entries[$0]?.ticket == $1 }
        main.clear { entries[$0]?.ticket == $1 }
    }

    /// Takes the oldest of the queue that is too long.
    private mutating func evictOne() {
        let takesSmall = small.bytes > byteLimit / 10 || main.bytes == 0
        guard let place = takesSmall ? small.popFirst() : main.popFirst() else { return }
        guard var entry = entries[place.key], entry.ticket == place.ticket else { return }
        remove(place.key)
        if entry.uses > 0 {
            // It goes on at the end of the main queue, with what it was asked for since.
            lastTicket += 1
            entry.uses = takesSmall ? 0 : entry.uses - 1
            entry.isMain = true
            entry.ticket = lastTicket
            entries[place.key] = entry
            enqueue(place.key, true, entry.bytes)
        } else {
            evictions += 1
            if takesSmall { remember(place.key.hashValue) }
        }
    }

    /// As many as there are entries.
    private mutating func remember(_ hash: Int) {
        guard remembered.insert(hash).inserted else { return }
        rememberedOrder.append(hash)
        while rememberedOrder.count - rememberedStart > max(entries.count, 16) {
            remembered.remove(rememberedOrder[rememberedStart])
            rememberedStart += 1
        }
        if rememberedStart > 64, rememberedStart * 2 > rememberedOrder.count {
            rememberedOrder.removeFirst(rememberedStart)
            rememberedStart = 0
        }
    }
}
