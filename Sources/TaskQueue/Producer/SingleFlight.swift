/// Lets callers who want the same thing at the same time share one task, without anyone getting an answer that was
/// computed before they asked.
///
/// A task can be *joined* until it is *sent*. Whoever asks after that must not have its answer: the worker may have
/// read the database already, and a change that was committed between that read and the question would be missing from
/// the answer. So they join the *next* task of that key, which is sent when the one under way has *finished*. However
/// many callers there are, a key has at most one task that was sent and one that can be joined; under load that is what
/// turns a thousand identical requests into a few tasks.
///
///     (none) ──submit──▶ to join ──sent──▶ under way ──finished──▶ (none)
///                                             │ submit
///                                             ▼
///                                under way + one to join ──finished──▶ to join
///
/// A caller may declare a task as finished that has been under way for too long, so that those who come later are not
/// held up by a lost worker; when it really finishes it is no longer known here, and that changes nothing.
///
/// Pure: tasks are named by the caller, and nothing here waits.
struct SingleFlight<Key: Hashable, Name: Equatable> {
    /// What became of a question.
    enum Submission: Equatable {
        /// The offered task is to be sent.
        case send(Name)
        /// The offered task is to be sent when the one under way has finished.
        case wait(Name)
        /// The offered task is not needed; this one takes the caller.
        case join(Name)
    }

    private struct State {
        var underWay: Name?
        var toJoin: Name?
    }

    private var states: [Key: State] = [:]

    /// How many keys have a task.
    var count: Int { states.count }

    /// Somebody asks.
    ///
    /// - Parameter offered: The task to begin if there is none to join.
    mutating func submit(_ key: Key, orBegin offered: @autoclosure () -> Name) -> Submission {
        let state = states[key] ?? State()
        if let toJoin = state.toJoin { return .join(toJoin) }
        let name = offered()
        states[key] = State(underWay: state.underWay, toJoin: name)
        return state.underWay == nil ? .send(name) : .wait(name)
    }

    /// A task was sent: nobody joins it any more.
    mutating func sent(_ key: Key, _ name: Name) {
        guard let state = states[key], state.toJoin == name else { return }
        states[key] = State(underWay: name, toJoin: nil)
    }

    /// A task that was sent ended, or counts as ended.
    ///
    /// - Returns: The task that may be sent now because of that.
    mutating func finished(_ key: Key, _ name: Name) -> Name? {
        guard let state = states[key], state.underWay == name else { return nil }
        states[key] = state.toJoin.map { State(underWay: nil, toJoin: $0) }
        return state.toJoin
    }

    /// Everybody left a task before it was sent.
    mutating func left(_ key: Key, _ name: Name) {
        guard let state = states[key], state.toJoin == name else { return }
        states[key] = state.underWay.map { State(underWay: $0, toJoin: nil) }
    }
}
