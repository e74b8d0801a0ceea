public import Reactor

/// How much a consumer takes on, and how it tries again.
struct StreamConsumerLimits: Sendable {
    /// Entries in one call of the handler.
    var batchMax = 512
    /// Entries that the consumer has and has not ended.
    var heldMax = 2048
    /// How often an entry is tried.
    var attemptsMax = 3
    /// The longest wait before the second try; it doubles with each.
    var firstDelay: Duration = .milliseconds(200)
    /// The longest wait of all.
    var delayCap: Duration = .seconds(5)
}

/// A consumer of a group.
public struct StreamConsumerConfiguration: Sendable {
    /// Who it is, and in which group.
    var member: StreamMember.Configuration
    /// The key of the stream of entries that were given up.
    var deadLetters: String
    /// Most dead letters that are kept, roughly; beyond it the oldest are dropped.
    var deadLettersMax = 10_000
    /// What it takes on.
    var limits = StreamConsumerLimits()

    /// Names a consumer of a group.
    public init(stream: String, group: String, deadLetters: String, consumer: String) {
        member = StreamMember.Configuration(stream: stream, group: group, consumer: consumer)
        self.deadLetters = deadLetters
    }
}

/// What the entries of a stream mean.
@ReactorActor
public protocol StreamHandler: AnyObject {
    /// Brings about the effects of some entries; one verdict for each, in order. An entry may come again, also while
    /// another consumer has it: effects happen once only if this sees to it.
    func handle(_ entries: [StreamEntry]) async -> [StreamVerdict]

    /// Some entries are about to become dead letters. False puts it off.
    func willBury(_ entries: [DeadStreamEntry]) async -> Bool

    /// The newest entry that has had its effect, where a new group begins; nil if that cannot be found out now.
    func position() async -> StreamPosition?

    /// There was no group, so whatever entries were not dealt with may be lost. False if that could not be noted now.
    func groupWasMade() async -> Bool
}
