/// Looks when told to, never twice at once: all who tell it during a look get one more, which begins after that.
@ReactorActor
package final class Lookout {
    private let body: @ReactorActor () async -> Void
    private var isLooking = false
    private var mustLookAgain = false

    /// - Parameter body: One look.
    package init(_ body: @escaping @ReactorActor () async -> Void) { self.body = body }

    /// Something may have changed.
    package func look() {
        mustLookAgain = true
        guard !isLooking else { return }
        isLooking = true
        Reactor.spawn { [self] in
            while mustLookAgain {
                mustLookAgain = false
                await body()
            }
            isLooking = false
        }
    }
}
