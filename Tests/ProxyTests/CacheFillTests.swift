import Testing

@testable import Proxy

/// The transitions of an answer on its way into the cache, one row each.
@Suite struct CacheFillTests {
    enum Event {
        case began(isSized: Bool, hasReader: Bool)
        case outgrew
        case readerLeft
        case ended(isWhole: Bool)

        static let began = Event.began(isSized: false, hasReader: true)
        static let beganSized = Event.began(isSized: true, hasReader: true)
        static let beganRefresh = Event.began(isSized: false, hasReader: false)
        static let ended = Event.ended(isWhole: true)
        static let cut = Event.ended(isWhole: false)
    }

    typealias Action = CacheFill<String>.Action

    private static let answer = "the answer"

    private static func after(_ events: [Event]) -> [Action] {
        var state = CacheFill<String>.asked
        return events.map { event in
            switch event {
            case .began(let isSized, let hasReader):
                state.began(answer, isSized: isSized, hasReader: hasReader)
            case .outgrew: state.outgrew()
            case .readerLeft: state.readerLeft()
            case .ended(let isWhole): state.ended(isWhole: isWhole)
            }
        }
    }

    private static let share = Action.share(answer)
    private static let keep = Action.keep(answer)
    private static let detach = Action.detach(answer)
    private static let cut = Action.drop(answer, isWhole: false)
    private static let passed = Action.drop(answer, isWhole: true)

    @Test(
        arguments: [
            // Not kept, a 304, no answer, or a client that leaves before there is one.
            ([.cut], [.release]), ([.cut, .cut], [.release, .none]), ([.readerLeft, .cut], [.none, .release]),
            // Kept.
            ([.began, .ended], [.none, keep]), ([.beganSized, .ended], [share, keep]),
            ([.began, .ended, .readerLeft], [.none, keep, .none]),
            // Its client leaves, or is told by a 304.
            ([.beganSized, .readerLeft, .ended], [share, .none, keep]),
            ([.beganSized, .readerLeft, .readerLeft, .cut], [share, .none, .none, cut]),
            // It breaks off, as it does when the process ends.
            ([.began, .cut], [.none, cut]), ([.beganSized, .cut], [share, cut]),
            ([.began, .cut, .readerLeft, .cut], [.none, cut, .none, .none]),
            // It grows too large, once.
            ([.began, .outgrew, .ended], [.none, detach, passed]), ([.began, .outgrew, .cut], [.none, detach, cut]),
            ([.began, .outgrew, .outgrew, .ended], [.none, detach, .none, passed]),
            // And its client leaves, before or after. What was cancelled then tells that it was.
            ([.began, .outgrew, .readerLeft, .cut], [.none, detach, cut, .none]),
            ([.began, .readerLeft, .outgrew, .cut], [.none, .none, cut, .none]),
            ([.began, .outgrew, .ended, .readerLeft], [.none, detach, passed, .none]),
            // Nobody reads what is asked for beside its use.
            ([.beganRefresh, .ended], [.none, keep]), ([.beganRefresh, .cut], [.none, cut]),
            ([.beganRefresh, .outgrew, .cut], [.none, cut, .none]),
        ] as [([Event], [Action])]
    )
    func `what follows`(events: [Event], actions: [Action]) {
        #expect(Self.after(events) == actions)
    }
}
