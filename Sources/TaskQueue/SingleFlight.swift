/// Lets callers who want the same thing at the same time share one computation, without anyone getting an answer that
/// was computed before they asked.
///
/// A flight *boards* until it *departs*, that is until its task is sent. Whoever asks while it boards joins it. Whoever
/// asks after it departed must not have its answer: the worker may have read the database already, and a change that
/// was committed between that read and the question would be missing from the answer. So they board the *next* flight
/// of that key, which departs when the one under way has landed. However many callers there are, a key has at most one
/// flight under way and one boarding; under load that is what turns a thousand identical requests into a few tasks.
///
///     (none) ──board──▶ boarding ──departed──▶ under way ──landed──▶ (none)
///                                                 │ board
///                                                 ▼
///                                    under way + one boarding ──landed──▶ boarding
///
/// A caller may declare a flight as landed that has been under way for too long, so that those who come later are not
/// held up by a lost worker; when it really lands it is no longer known here, and that changes nothing.
///
/// Pure: flights are named by the caller, and nothing here waits.
struct SingleFlight<Key: Hashable, Flight: Equatable> {
    /// What became of a question.
    enum Boarding: Equatable {
        /// The offered flight was opened and may depart at once.
        case departs
        /// The offered flight was opened and waits for the one under way.
        case waits
        /// The offered flight is not needed; this one takes the caller.
        case joins(Flight)
    }

    private struct State {
        var underWay: Flight?
        var boarding: Flight?
    }

    private var states: [Key: State] = [:]

    /// How many keys have a flight.
    var count: Int { states.count }

    /// Somebody asks.
    ///
    /// - Parameter offered: The flight to open if none is boarding.
    mutating func board(_ key: Key, orOpen offered: @autoclosure () -> Flight) -> (boarding: Boarding, flight: Flight) {
        let state = states[key] ?? State()
        if let boarding = state.boarding { return (.joins(boarding), boarding) }
        let flight = offered()
        states[key] = State(underWay: state.underWay, boarding: flight)
        return (state.underWay == nil ? .departs : .waits, flight)
    }

    /// The boarding flight was sent: nobody joins it any more.
    mutating func departed(_ key: Key, _ flight: Flight) {
        guard let state = states[key], state.boarding == flight else { return }
        states[key] = State(underWay: flight, boarding: nil)
    }

    /// A flight ended, or counts as ended.
    ///
    /// - Returns: The flight that may depart now because of that.
    mutating func landed(_ key: Key, _ flight: Flight) -> Flight? {
        guard let state = states[key], state.underWay == flight else { return nil }
        states[key] = state.boarding.map { State(underWay: nil, boarding: $0) }
        return state.boarding
    }

    /// Everybody left a flight before it departed.
    mutating func abandoned(_ key: Key, _ flight: Flight) {
        guard let state = states[key], state.boarding == flight else { return }
        states[key] = state.underWay.map { State(underWay: $0, boarding: nil) }
    }
}
