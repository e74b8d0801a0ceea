import Reactor
import Testing

@Suite struct ReminderTests {
    @Test func `what goes wrong again and again is said at once, and then once a minute with how often it was not`() {
        var reminder = Reminder()
        let start = Instant.origin
        #expect(reminder.isDue(at: start) == 0)
        for second in 1..<60 { #expect(reminder.isDue(at: start + .seconds(second)) == nil) }
        #expect(reminder.isDue(at: start + .seconds(60)) == 59)
        #expect(reminder.isDue(at: start + .seconds(119)) == nil)
        #expect(reminder.isDue(at: start + .seconds(500)) == 1)
    }

    @Test func `what was well in between is said at once`() {
        var reminder = Reminder()
        #expect(reminder.isDue(at: .origin) == 0)
        reminder.reset()
        #expect(reminder.isDue(at: .origin + .seconds(1)) == 0)
    }
}
