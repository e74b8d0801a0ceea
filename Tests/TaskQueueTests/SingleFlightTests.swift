import Testing

@testable import TaskQueue

@Suite struct SingleFlightTests {
    private typealias Flights = SingleFlight<String, Int>

    @Test func `who asks before the departure joins, who asks after it boards the next`() {
        var flights = Flights()
        #expect(flights.board("k", orOpen: 1) == (.departs, 1))
        #expect(flights.board("k", orOpen: 2) == (.joins(1), 1))
        flights.departed("k", 1)
        #expect(flights.board("k", orOpen: 3) == (.waits, 3))
        #expect(flights.board("k", orOpen: 4) == (.joins(3), 3))
        #expect(flights.landed("k", 1) == 3)
        // It may depart, and until it does it still takes passengers.
        #expect(flights.board("k", orOpen: 5) == (.joins(3), 3))
        flights.departed("k", 3)
        #expect(flights.landed("k", 3) == nil)
        #expect(flights.count == 0)
    }

    @Test func `keys do not meet`() {
        var flights = Flights()
        #expect(flights.board("a", orOpen: 1) == (.departs, 1))
        #expect(flights.board("b", orOpen: 2) == (.departs, 2))
        flights.departed("a", 1)
        #expect(flights.landed("b", 1) == nil)
        #expect(flights.count == 2)
    }

    @Test func `a flight that counts as landed lets the next go, and its real landing changes nothing`() {
        var flights = Flights()
        _ = flights.board("k", orOpen: 1)
        flights.departed("k", 1)
        _ = flights.board("k", orOpen: 2)
        #expect(flights.landed("k", 1) == 2)
        flights.departed("k", 2)
        #expect(flights.landed("k", 1) == nil)
        #expect(flights.board("k", orOpen: 3) == (.waits, 3), "the second is still under way")
        #expect(flights.landed("k", 2) == 3)
    }

    @Test func `a flight that everybody left is forgotten`() {
        var flights = Flights()
        _ = flights.board("k", orOpen: 1)
        flights.abandoned("k", 1)
        #expect(flights.count == 0)

        _ = flights.board("k", orOpen: 2)
        flights.departed("k", 2)
        _ = flights.board("k", orOpen: 3)
        flights.abandoned("k", 3)
        #expect(flights.landed("k", 2) == nil)
        #expect(flights.count == 0)
    }

    @Test func `a landing without a next flight leaves nothing behind`() {
        var flights = Flights()
        _ = flights.board("k", orOpen: 1)
        flights.departed("k", 1)
        #expect(flights.landed("k", 1) == nil)
        #expect(flights.count == 0)
        #expect(flights.landed("k", 1) == nil)
    }
}
