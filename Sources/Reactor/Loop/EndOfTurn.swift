/// A job that runs once at the end of each turn in which it was scheduled.
///
/// This is how output is gathered: each command of a turn appends to a buffer and calls ``schedule()``, and one system
/// call writes them all.
@ReactorActor
public final class EndOfTurn {
    private let job: @ReactorActor () -> Void
    /// Whether it need not wait for the end of a turn that is long.
    let isEarly: Bool
    private var isScheduled = false

    /// Makes the job without scheduling it.
    ///
    /// - Parameters:
    ///   - isEarly: Whether the job also runs after each few events of a long turn. That is for output that others wait
    ///     for: they have something to do then while the turn goes on. What gets better the more has gathered waits.
    ///   - job: Must not keep the owner of this object alive: capture it `[unowned self]` or `[weak self]`.
    public init(isEarly: Bool = false, _ job: @escaping @ReactorActor () -> Void) {
        self.isEarly = isEarly
        self.job = job
    }

    /// Makes the job run at the end of this turn; more calls in the same turn change nothing.
    public func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        Loop.schedule(self)
    }

    /// Takes ``schedule()`` back.
    public func cancel() {
        // The loop keeps its entry until the end of the turn; `run` then sees that there is nothing to do.
        isScheduled = false
    }

    func run() {
        guard isScheduled else { return }
        isScheduled = false
        job()
    }
}
