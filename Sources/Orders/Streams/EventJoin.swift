/// Joins what is stored and what happens meanwhile, for one client: no event is missing, and none comes twice. Pure.
///
/// It is told what happens from before the first page is read. While pages are read, it keeps that; a page that is
/// not full was read after all that happened before, so what was kept follows, and then what happens as it does.
///
///     joining ──page not full──▶ live
///        │ ▲
///     too much to keep, then page not full
///        ▼ │
///      behind
struct EventJoin {
    private enum Phase {
        /// What happens is kept.
        case joining([FeedEvent])
        /// What happens will be read as a part of a page.
        case behind
        case live
    }

    /// Events that are kept at most.
    static let keptMax = 500

    /// Up to where the client has been sent everything.
    private(set) var position: Int64
    private var phase = Phase.joining([])

    /// - Parameter position: Of the last event that the client has.
    init(after position: Int64) { self.position = position }

    /// Whether there is nothing more to be read.
    var isLive: Bool {
        if case .live = phase { true } else { false }
    }

    /// Events have happened, in order; returns which of them are to be sent now.
    mutating func happened(_ events: [FeedEvent]) -> [FeedEvent] {
        switch phase {
        case .live: return send(events)
        case .behind: return []
        case .joining(var kept):
            phase = .behind
            guard kept.count + events.count <= Self.keptMax else { return [] }
            kept += events
            phase = .joining(kept)
            return []
        }
    }

    /// A page was read from behind ``position`` on; returns what is to be sent now.
    mutating func wasRead(_ page: [FeedEvent], isFull: Bool) -> [FeedEvent] {
        let page = send(page)
        guard !isFull else { return page }
        switch phase {
        case .live: return page
        case .behind:
            phase = .joining([])
            return page
        case .joining(let kept):
            phase = .live
            return page + send(kept)
        }
    }

    private mutating func send(_ events: [FeedEvent]) -> [FeedEvent] {
        let new = events.filter { [position] in $0.position > position }
        if let last = new.last { position = last.position }
        return new
    }
}

/// An event as clients of a stream get it.
struct FeedEvent: Hashable, Sendable {
    let position: Int64
    let orderID: OrderID
    /// Who placed the order; nil while nobody has to say who he is.
    let owner: String?
    let bytes: [UInt8]
}
