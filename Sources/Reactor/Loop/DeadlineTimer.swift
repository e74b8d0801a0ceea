/// One timer for many deadlines: armed for the earliest, and not re-armed when what had that deadline is done in time.
///
/// It then fires in vain, about once per length of a deadline, and its owner arms it for what is left. That is cheaper
/// than a timer for each of thousands of deadlines a second that nearly never fires.
@ReactorActor
package final class DeadlineTimer {
    private var due: Instant?
    private var timer: Timer?

    /// - Parameter onDue: Called at the earliest of the instants given, or after; the others are forgotten by then.
    package init(onDue: @escaping @ReactorActor () -> Void) {
        timer = Timer { [unowned self] in
            due = nil
            onDue()
        }
    }

    /// Fires at `instant` at the latest.
    package func fire(noLaterThan instant: Instant) {
        if let due, due <= instant { return }
        due = instant
        timer?.schedule(at: instant)
    }

    /// Forgets the instants given.
    package func cancel() {
        due = nil
        timer?.cancel()
    }
}
