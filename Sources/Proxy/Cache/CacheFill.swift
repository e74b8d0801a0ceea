/// What becomes of the answer to one request to an upstream, on its way into the cache: past-tense events in, what
/// follows out. Pure: it never looks into the answer.
///
///     asked ──kept──▶ filling ──too large──▶ passing
///       │               │                      │
///       └───────────────┴────────end───────────┴─────▶ over
enum CacheFill<Answer> {
    /// No answer has begun.
    case asked
    /// The answer comes, at the upstream's pace, and is kept if it comes whole.
    ///
    /// `hasReader`: whether somebody reads it who would also read what is not kept.
    case filling(Answer, hasReader: Bool)
    /// It has grown too large to be kept, and comes at the pace of its one reader.
    case passing(Answer)
    /// Nothing more of it is taken.
    case over

    /// What is to be done.
    enum Action {
        case none
        /// Those who wait may read along.
        case share(Answer)
        /// Those who wait ask for themselves; the answer goes on to its reader.
        case detach(Answer)
        /// It is whole, and for everybody.
        case keep(Answer)
        /// Nobody wants or gets more of it; those who wait ask for themselves.
        case drop(Answer, isWhole: Bool)
        /// Those who wait ask for themselves.
        case release
    }

    /// An answer begins that is to be kept.
    ///
    /// - Parameter isSized: Whether its length is known, and with it that all of it will be kept.
    mutating func began(_ answer: Answer, isSized: Bool, hasReader: Bool) -> Action {
        guard case .asked = self else { preconditionFailure("an answer begins once, while it is waited for") }
        self = .filling(answer, hasReader: hasReader)
        return isSized ? .share(answer) : .none
    }

    /// There is no room for more of it.
    mutating func outgrew() -> Action {
        switch self {
        case .filling(let answer, hasReader: true):
            self = .passing(answer)
            return .detach(answer)
        case .filling(let answer, hasReader: false):
            self = .over
            return .drop(answer, isWhole: false)
        case .asked, .passing, .over: return .none
        }
    }

    /// Its reader has all that he wants of it, or has left.
    mutating func readerLeft() -> Action {
        switch self {
        case .filling(let answer, hasReader: _):
            // It is of use to the next one, who will ask soon.
            self = .filling(answer, hasReader: false)
            return .none
        case .passing(let answer):
            self = .over
            return .drop(answer, isWhole: false)
        case .asked, .over: return .none
        }
    }

    /// Nothing more comes, or nothing was kept.
    mutating func ended(isWhole: Bool) -> Action {
        defer { self = .over }
        switch self {
        case .asked: return .release
        case .filling(let answer, hasReader: _): return isWhole ? .keep(answer) : .drop(answer, isWhole: false)
        case .passing(let answer): return .drop(answer, isWhole: isWhole)
        case .over: return .none
        }
    }
}

extension CacheFill.Action: Equatable where Answer: Equatable {}
extension CacheFill.Action: Sendable where Answer: Sendable {}
