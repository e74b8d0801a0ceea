/// Decides what a member of a consumer group does next, and knows whose the entries are that it was given. Pure: what
/// happened goes in, what to do comes out.
struct StreamMemberMachine: ~Copyable {
    /// What the owner of the machine does.
    enum Action: Equatable {
        /// Asks how the group is, and takes over what others left behind.
        case patrol
        /// Asks for entries that Redis has handed over and that got lost with a connection.
        case reclaim
        /// Reads so many new entries at most.
        case read(Int)
    }

    /// Whose an entry is, as far as this member knows.
    private enum Lease {
        case ours
        /// Another member had it when it was to be renewed. Who handles it here goes on, and may still be first.
        case lost
    }

    private var held: [StreamPosition: Lease] = [:]
    /// Whether a patrol succeeded since the last connect, so that the group exists.
    private(set) var isAttended = false
    private var isPatrolling = false
    private var isReclaiming = false
    private var isMakingGroup = false
    /// Whether Redis may have handed over entries that never arrived.
    private var needsReclaim = true

    /// Entries that were given and have not ended.
    var ids: [StreamPosition] { Array(held.keys) }
    /// How many these are.
    var count: Int { held.count }
    /// The entries whose leases are to be renewed.
    var leased: [StreamPosition] { held.filter { $0.value == .ours }.map(\.key) }

    /// What to do now, if anything.
    ///
    /// - Parameters:
    ///   - isConnected: Whether commands can be sent.
    ///   - canRead: Whether a read can be sent: there is a connection for it, and no read is under way on it.
    ///   - room: How many more entries are wanted.
    func next(isConnected: Bool, canRead: Bool, room: Int) -> Action? {
        guard isConnected, !isMakingGroup else { return nil }
        guard isAttended else { return isPatrolling ? nil : .patrol }
        guard canRead, room > 0 else { return nil }
        guard needsReclaim else { return .read(room) }
        return isReclaiming ? nil : .reclaim
    }

    /// The connection for commands was lost or made: the group may be another.
    mutating func connectionChanged() { isAttended = false }

    /// Entries may be this member's that it does not know of.
    mutating func distrust() { needsReclaim = true }

    // MARK: What was begun and how it ended

    /// False when one is under way.
    mutating func beginPatrol() -> Bool {
        guard !isPatrolling, !isMakingGroup else { return false }
        isPatrolling = true
        return true
    }

    mutating func endPatrol(succeeded: Bool) {
        isPatrolling = false
        isAttended = succeeded
    }

    mutating func beginReclaim() { isReclaiming = true }

    mutating func endReclaim(succeeded: Bool) {
        isReclaiming = false
        if succeeded { needsReclaim = false }
    }

    /// There is no group. False when it is being made.
    mutating func beginGroup() -> Bool {
        isAttended = false
        guard !isMakingGroup else { return false }
        isMakingGroup = true
        return true
    }

    mutating func endGroup() { isMakingGroup = false }

    // MARK: Entries

    /// An entry is this member's; false if it has it already: then what was lost for a while is its own again.
    mutating func given(_ id: StreamPosition) -> Bool { held.updateValue(.ours, forKey: id) == nil }

    /// An entry was another's when its lease was to be renewed; false if that is known, or it has ended meanwhile.
    mutating func lost(_ id: StreamPosition) -> Bool {
        guard held[id] == .ours else { return false }
        held[id] = .lost
        return true
    }

    /// Entries that are acknowledged, or somebody else's.
    mutating func ended(_ ids: some Sequence<StreamPosition>) {
        for id in ids { held[id] = nil }
    }
}
