import Outbox
import Reactor
import Testing

@Suite struct DatabaseMomentTests {
    /// Only the database's clock counts, however far that of the machine is from it.
    @Test func `a time by the database's clock comes when that has got there`() {
        let asked = Instant.origin + .seconds(5)
        let moment = DatabaseMoment(unixTime: .seconds(1_710_930_600), askedAt: asked)
        #expect(moment.instant(of: .seconds(1_710_930_602)) == asked + .seconds(2))
        #expect(moment.instant(of: .seconds(1_710_930_600)) == asked)
        #expect(moment.instant(of: .seconds(1_710_930_000)) < asked)
    }
}
