import Testing

@testable import HTTPClient

@Suite struct RetryBudgetTests {
    @Test func `a fifth of the requests may be sent once more, and a reserve`() {
        var budget = RetryBudget(connections: 10)
        var retries = 0
        for _ in 1...10_000 {
            budget.requestSent()
            if budget.take() { retries += 1 }
        }
        #expect((2000...2125).contains(retries))
    }

    @Test func `a restart while every connection carries a request is within it`() {
        var budget = RetryBudget(connections: 1000)
        let taken = (1...1001).map { _ in budget.take() }
        #expect(taken.firstIndex(of: false) == 1000)
    }
}
