// A libFuzzer target over the HTTP parsers; `Tests/Fuzz/run` builds it together with the sources of HTTPWire.
//
// The first byte of an input chooses the parser and how the rest, a byte stream, is cut. What must hold for every
// input:
//
// - nothing traps and every loop ends;
// - the stream means the same however it is cut;
// - what was accepted is within the limits;
// - a date that was read, written and read again is the same date;
// - a head that was accepted, written again and read again, is the same head.

private let limits = HTTPLimits(headBytes: 512, targetBytes: 128, fieldCount: 12, bodyBytes: 1024)

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOne(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = [UInt8](UnsafeBufferPointer(start: start, count: count))
    guard let choice = input.first else { return 0 }
    let wire = Array(input.dropFirst())
    readDate(wire)
    let cuts = [Int.max, 1, 2 + Int(choice >> 4), 17]
    if choice & 1 == 0 {
        let outcomes = cuts.map { requests(wire, cutEvery: $0) }
        for outcome in outcomes { precondition(outcome == outcomes[0], "the cut changed the meaning") }
    } else {
        let method: HTTPMethod = choice & 2 == 0 ? .get : .head
        let outcomes = cuts.map { responses(wire, to: method, cutEvery: $0) }
        for outcome in outcomes { precondition(outcome == outcomes[0], "the cut changed the meaning") }
    }
    return 0
}

/// What a field might say that holds a date.
private func readDate(_ value: [UInt8]) {
    guard let date = HTTPDate.parse(String(decoding: value, as: UTF8.self)) else { return }
    precondition(HTTPDate.parse(HTTPDate.format(unixSeconds: date)) == date, "a date changed")
}

/// What came out of a stream.
private struct Outcome: Equatable {
    var heads: [[UInt8]] = []
    var body: [UInt8] = []
    var bodyEnds: [Int] = []
    var error: HTTPParseError?

    mutating func addBody(_ bytes: Span<UInt8>) {
        body.append(copying: bytes)
        precondition(body.count - (bodyEnds.last ?? 0) <= limits.bodyBytes, "the body passed its limit")
    }
}

private func requests(_ wire: [UInt8], cutEvery size: Int) -> Outcome {
    var outcome = Outcome()
    var parser = RequestParser(limits: limits)
    do throws(HTTPParseError) {
        var start = 0
        while start < wire.count {
            let end = size < wire.count - start ? start + size : wire.count
            var wantsMore = false
            var stepsWithoutProgress = 0
            while !wantsMore {
                let rest = wire.span.extracting(start..<end)
                let (action, consumed) = try parser.step(rest)
                stepsWithoutProgress = consumed == 0 ? stepsWithoutProgress + 1 : 0
                precondition(stepsWithoutProgress < 4, "the parser turns in place")
                switch action {
                case .needMoreBytes:
                    precondition(consumed == rest.count, "a parser that wants more leaves nothing")
                    wantsMore = true
                case .deliverHead(let head):
                    outcome.heads.append(rewritten(head))
                    if !head.framing.hasBytes { outcome.bodyEnds.append(outcome.body.count) }
                case .deliverBody(let range): outcome.addBody(rest.extracting(range))
                case .finishRequest: outcome.bodyEnds.append(outcome.body.count)
                }
                start += consumed
            }
        }
        try parser.connectionEnded()
    } catch {
        outcome.error = error
    }
    return outcome
}

private func responses(_ wire: [UInt8], to method: HTTPMethod, cutEvery size: Int) -> Outcome {
    var outcome = Outcome()
    var parser = ResponseParser(limits: limits)
    parser.expectResponse(to: method)
    do throws(HTTPParseError) {
        var start = 0
        while start < wire.count {
            let end = size < wire.count - start ? start + size : wire.count
            var wantsMore = false
            while !wantsMore {
                let rest = wire.span.extracting(start..<end)
                let (action, consumed) = try parser.step(rest)
                switch action {
                case .needMoreBytes:
                    precondition(consumed == rest.count, "a parser that wants more leaves nothing")
                    wantsMore = true
                case .deliverInterim(let head), .deliverHead(let head): outcome.heads.append(rewritten(head))
                case .deliverBody(let range): outcome.addBody(rest.extracting(range))
                case .finishResponse:
                    outcome.bodyEnds.append(outcome.body.count)
                    parser.expectResponse(to: method)
                }
                start += consumed
            }
        }
        if case .finishResponse = try parser.connectionEnded() { outcome.bodyEnds.append(outcome.body.count) }
    } catch {
        outcome.error = error
    }
    return outcome
}

/// The head as this program writes it, after checking that it reads back as the same.
private func rewritten(_ head: RequestHead) -> [UInt8] {
    precondition(head.fields.count <= limits.fieldCount, "the fields passed their limit")
    precondition(head.target.utf8.count <= limits.targetBytes, "the target passed its limit")
    var fields = head.fields
    fields.remove("host")
    var bytes: [UInt8] = []
    let authority = head.authority ?? "none"
    func write(_ head: RequestHead, to buffer: inout [UInt8]) {
        HeadWriter.appendRequest(
            head.method,
            target: head.pathAndQuery,
            authority: authority,
            fields: fields,
            framing: head.framing,
            keepsAlive: head.keepsAlive,
            to: &buffer
        )
    }
    write(head, to: &bytes)
    var parser = RequestParser(limits: HTTPLimits(headBytes: 4096, fieldCount: 100))
    guard case .deliverHead(let again)? = try? parser.step(bytes.span).action else { fatalError("not read back") }
    precondition(again.method == head.method && again.pathAndQuery == head.pathAndQuery)
    precondition(again.path == head.path && again.query == head.query && again.authority == authority)
    precondition(again.framing == head.framing && again.keepsAlive == head.keepsAlive)
    fields = again.fields
    fields.remove("host")
    var bytesAgain: [UInt8] = []
    write(again, to: &bytesAgain)
    precondition(bytesAgain == bytes, "writing is not stable")
    checkQuery(head)
    return bytes
}

private func checkQuery(_ head: RequestHead) {
    guard let parameters = try? head.queryParameters(limit: 16) else { return }
    precondition(parameters.all.count <= 16, "the parameters passed their limit")
    guard parameters.all.allSatisfy({ $0.fault == nil }) else { return }
    let encoded = parameters.all.map { PercentEncoding.encode($0.name) + "=" + PercentEncoding.encode($0.value) }
    guard let again = try? QueryParameters(parsing: encoded.joined(separator: "&"), limit: 16) else {
        fatalError("a query that was written is not read back")
    }
    precondition(again == parameters, "a query changed on its way")
}

private func rewritten(_ head: ResponseHead) -> [UInt8] {
    precondition(head.fields.count <= limits.fieldCount, "the fields passed their limit")
    guard !head.status.isInformational else { return [UInt8](head.status.description.utf8) }
    var bytes: [UInt8] = []
    HeadWriter.appendResponse(
        head.status,
        fields: head.fields,
        framing: head.framing,
        keepsAlive: head.keepsAlive,
        date: [],
        to: &bytes
    )
    var parser = ResponseParser(limits: HTTPLimits(headBytes: 4096, fieldCount: 100))
    parser.expectResponse(to: head.framing == .none ? .head : .get)
    let body: Int
    if case .length(let count) = head.framing { body = count } else { body = 0 }
    guard case .deliverHead(let again)? = try? parser.step(bytes.span).action else { fatalError("not read back") }
    precondition(again.status == head.status && again.framing == head.framing, "\(body)")
    precondition(again.keepsAlive == head.keepsAlive)
    var bytesAgain: [UInt8] = []
    HeadWriter.appendResponse(
        again.status,
        fields: again.fields,
        framing: again.framing,
        keepsAlive: again.keepsAlive,
        date: [],
        to: &bytesAgain
    )
    precondition(bytesAgain == bytes, "writing is not stable")
    return bytes
}
