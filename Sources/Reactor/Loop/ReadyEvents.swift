/// The I/O events of a turn that nobody has taken yet.
///
/// libev calls back in the reverse order of what epoll told, so who was ready first would be served last, and the more
/// is ready at once, the later. So its calls only note the events, and these are taken in epoll's order.
@safe struct ReadyEvents {
    /// Where an event stands, for who wants it dropped.
    typealias Place = Int

    // Not retained: a watcher drops its event before it goes.
    private var events: [(watcher: Unmanaged<IOWatcher>?, readiness: Readiness)] = unsafe []

    /// Notes an event; those that are noted last are the first to be taken.
    mutating func note(_ readiness: Readiness, of watcher: IOWatcher) -> Place {
        unsafe events.append((.passUnretained(watcher), readiness))
        return unsafe events.count - 1
    }

    /// Has an event never taken.
    mutating func drop(_ place: Place) { unsafe events[place].watcher = nil }

    /// Takes the next event.
    mutating func next() -> (watcher: IOWatcher, readiness: Readiness)? {
        while let event = unsafe events.popLast() {
            if let watcher = unsafe event.watcher?.takeUnretainedValue() { return unsafe (watcher, event.readiness) }
        }
        return nil
    }
}
