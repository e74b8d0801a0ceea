import Testing

@testable import MarketData

@Suite struct QuoteBatchesTests {
    @Test func `what comes while a commit is under way is the next one`() {
        var batches = QuoteBatches<Int>(batchMax: 3)
        #expect(batches.next() == nil)
        batches.offered(1)
        #expect(batches.next() == [1])
        for number in 2...5 { batches.offered(number) }
        #expect(batches.next() == nil)
        batches.ended()
        #expect(batches.next() == [2, 3, 4])
        batches.ended()
        #expect(batches.next() == [5])
        batches.ended()
        #expect(batches.next() == nil)
    }

    @Test func `of a refused commit only the quote at fault is lost`() {
        var batches = QuoteBatches<Int>(batchMax: 8)
        for number in 1...5 { batches.offered(number) }
        var stored: [Int] = []
        var lost: [Int] = []
        while let batch = batches.next() {
            #expect(batches.count + stored.count + lost.count == 5)
            if batch.contains(4) {
                if let one = batches.refused() { lost.append(one) }
            } else {
                stored += batch
                batches.ended()
            }
        }
        #expect(batches.count == 0)
        #expect(stored == [1, 2, 3, 5])
        #expect(lost == [4])
    }
}
