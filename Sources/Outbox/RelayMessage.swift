public import Reactor

/// A message that a relay has claimed.
public struct RelayMessage: Hashable, Sendable {
    /// Its place among all messages.
    public let id: Int64
    /// Whether messages with lower ids can appear no more.
    var isFinal: Bool
    /// What its destination knows it by; the same with every attempt.
    public let key: String
    /// Whose order it keeps; nil if no order is wanted.
    let sequenceKey: String?
    /// What is to be told, as JSON.
    public let payload: String
    /// How often it was sent.
    public internal(set) var attempts: Int
    /// Until when a sending of unknown outcome may have begun; nil: it has certainly had no effect.
    public internal(set) var uncertainSince: Instant?
    /// After this it is not sent any more.
    public var sendUntil: Instant?

    /// Takes the parts.
    init(
        id: Int64,
        isFinal: Bool = true,
        key: String,
        sequenceKey: String? = nil,
        payload: String = "{}",
        attempts: Int = 0,
        uncertainSince: Instant? = nil,
        sendUntil: Instant? = nil
    ) {
        self.id = id
        self.isFinal = isFinal
        self.key = key
        self.sequenceKey = sequenceKey
        self.payload = payload
        self.attempts = attempts
        self.uncertainSince = uncertainSince
        self.sendUntil = sendUntil
    }
}

/// What came of sending a message.
public enum SendOutcome: Hashable, Sendable {
    /// The destination has it.
    case done
    /// The destination refuses it for good, in its own words.
    case refused(String)
    /// It certainly had no effect; another time it may.
    case failed(String)
    /// It may have had its effect.
    case unknown(String)
    /// The destination says that it has a message with this key, which is to be confirmed by looking it up.
    case duplicate
}

/// What came of looking a message up.
public enum LookUpOutcome: Hashable, Sendable {
    /// The destination has it.
    case found
    /// The destination does not have it, or not yet.
    case absent
    /// No answer, or one that cannot be read.
    case failed(String)
}

/// What is to be stored of a message.
public struct RelaySettlement: Hashable, Sendable {
    /// How far the message is.
    public enum Verdict: Hashable, Sendable {
        /// The destination has it.
        case done
        /// The destination refuses it for good, and it certainly had no effect.
        case refused(String)
        /// It certainly had no effect, and is not to be sent any more.
        case expired
        /// The last attempt had no effect; to be tried again.
        case failed(String)
        /// The last attempt may have had its effect; to be asked about again.
        case unknown(String)
        /// Nothing was tried; to be tried another time.
        case returned
    }

    /// The message, with its attempts, and since when it is uncertain.
    public let message: RelayMessage
    /// How far it is.
    public let verdict: Verdict
    /// Until it may be claimed again, if it is handed back.
    public let delay: Duration
}

/// What came of storing settlements.
public enum SettleOutcome: Hashable, Sendable {
    /// They are stored, as far as the relay still claimed their messages.
    case stored
    /// They are not, or nobody knows; to be stored again.
    case failed
    /// The database refuses the content of at least one.
    case refused
}

/// Somebody who is told: what a slice provides.
@ReactorActor
public protocol RelayDestination: AnyObject {
    /// Its name in the table.
    var name: String { get }
    /// Reads what the machine has to know from the payload: ``RelayMessage/sendUntil``, counted from the moment of the
    /// claim.
    func prepare(_ message: inout RelayMessage, at moment: DatabaseMoment)
    /// Sends a message, once; never again by itself.
    func send(_ message: RelayMessage, deadline: Instant) async -> SendOutcome
    /// Asks whether a message has arrived.
    func lookUp(_ message: RelayMessage, deadline: Instant) async -> LookUpOutcome
    /// Stores what became of messages that `owner` claimed.
    func settle(_ settlements: [RelaySettlement], owner: String) async -> SettleOutcome
}
