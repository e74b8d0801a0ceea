import HTTPBodies
import HTTPWire
import Reactor
import Testing

/// Counts what a body says to where it comes from.
@ReactorActor
private final class Source: HTTPBodySource {
    var awaited = 0
    var taken = 0
    var unwanted = 0

    func bodyIsAwaited(_: HTTPBody) { awaited += 1 }
    func bodyWasTaken(_: HTTPBody) { taken += 1 }
    func bodyIsUnwanted(_: HTTPBody) { unwanted += 1 }
}

@Suite struct HTTPBodyTests {
    private typealias Read = Result<[UInt8]?, HTTPBodyError>

    init() { Reactor.runInBackground() }

    @Test @ReactorActor func `what comes is given to who waits, and else kept until somebody does`() {
        let source = Source()
        let body = HTTPBody(declaredLength: nil, windowBytes: 4, source: source)
        var read: [Read] = []
        body.read { read.append($0) }
        #expect(source.awaited == 1 && read.isEmpty)
        body.receive([1])
        #expect(read == [.success([1])])
        body.receive([2, 3])
        #expect(!body.isFull)
        body.receive([UInt8]([4, 5]).span)
        #expect(body.isFull)
        let taken = source.taken
        body.read { read.append($0) }
        #expect(read == [.success([1]), .success([2, 3, 4, 5])])
        #expect(!body.isFull && source.taken == taken + 1)
        body.receive([6])
        body.finish(trailers: ["X-Sum": "1"])
        for _ in 1...3 { body.read { read.append($0) } }
        #expect(read.suffix(3) == [.success([6]), .success(nil), .success(nil)])
        #expect(body.trailers?["x-sum"] == "1" && body.receivedBytes == 6 && source.awaited == 1)
    }

    @Test @ReactorActor func `who passes a body on says what is left of its trailers, before or after they come`() {
        let early = HTTPBody(declaredLength: nil, windowBytes: 1, source: Source())
        early.passTrailers { $0.without("a") }
        early.finish(trailers: ["A": "1", "B": "2"])
        let late = HTTPBody([], trailers: ["A": "1", "B": "2"])
        late.passTrailers { $0.without("b") }
        #expect(early.trailers == ["B": "2"] && late.trailers == ["A": "1"])
        let none = HTTPBody(declaredLength: nil, windowBytes: 1, source: Source())
        none.passTrailers { _ in [:] }
        none.finish()
        #expect(none.trailers == nil)
    }

    @Test @ReactorActor func `a collector has no window, but a limit`() {
        let bodies = (1...2).map { _ in HTTPBody(declaredLength: nil, windowBytes: 1, source: Source()) }
        var collected: [Result<[UInt8], HTTPBodyError>] = []
        for body in bodies {
            body.receive([1, 2])
            body.collect(limitBytes: 3) { collected.append($0) }
            body.receive([3])
            #expect(!body.isFull && collected.isEmpty)
        }
        bodies[0].receive([4])
        bodies[1].finish()
        #expect(collected == [.failure(.tooLarge(limitBytes: 3)), .success([1, 2, 3])])
        HTTPBody([1, 2]).collect(limitBytes: 1) { collected.append($0) }
        let long = HTTPBody(declaredLength: 9, windowBytes: 1, source: Source())
        long.collect(limitBytes: 8) { collected.append($0) }
        #expect(collected.suffix(2) == [.failure(.tooLarge(limitBytes: 1)), .failure(.tooLarge(limitBytes: 8))])
    }

    @Test @ReactorActor func `a body fails once, and its reader learns why`() {
        let source = Source()
        let body = HTTPBody(declaredLength: 3, windowBytes: 1, source: source)
        var read: [Read] = []
        body.read { read.append($0) }
        body.fail(.cut)
        body.fail(.timedOut)
        body.finish()
        body.receive([1])
        body.read { read.append($0) }
        #expect(read == [.failure(.cut), .failure(.cut)])
        #expect(body.failure == .cut && body.heldBytes == 0)
        body.cancel()
        #expect(source.unwanted == 0)
    }

    @Test @ReactorActor func `a body that nobody wants ends for both sides`() async {
        let source = Source()
        let body = HTTPBody(declaredLength: nil, windowBytes: 1, source: source)
        var read: [Read] = []
        body.read { read.append($0) }
        body.cancel()
        body.cancel()
        #expect(read == [.failure(.unwanted)] && source.unwanted == 1)
        body.receive([1])
        await #expect(throws: HTTPBodyError.unwanted) { try await body.read() }
    }

    @Test @ReactorActor func `a body is read in a loop`() async throws {
        let body = HTTPBody(declaredLength: nil, windowBytes: 1, source: Source())
        Reactor.spawn {
            for number: UInt8 in 1...3 {
                body.receive([number])
                await Reactor.yield()
            }
            body.finish()
        }
        var received: [UInt8] = []
        while let piece = try await body.read() { received += piece }
        #expect(received == [1, 2, 3])
    }
}

extension HTTPFields {
    fileprivate func without(_ name: String) -> HTTPFields {
        var fields = self
        fields.remove(name)
        return fields
    }
}
