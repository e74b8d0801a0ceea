import JSONWire
import Testing

@testable import WebAPI

@Suite struct ServerSentEventTests {
    @Test(
        arguments: [
            (nil, nil, "", "data: \n\n"),
            (nil, nil, #"{"a":1}"#, "data: {\"a\":1}\n\n"),
            ("price", nil, "1", "event: price\ndata: 1\n\n"),
            ("order", "17", "1", "event: order\nid: 17\ndata: 1\n\n"),
            (nil, "", "1", "id: \ndata: 1\n\n"),
            (nil, nil, "a\nb", "data: a\ndata: b\n\n"),
            (nil, nil, "a\r\nb\rc\n\nd", "data: a\ndata: b\ndata: c\ndata: \ndata: d\n\n"),
            (nil, nil, "a\n", "data: a\ndata: \n\n"),
            (nil, nil, "\r\r\n", "data: \ndata: \ndata: \n\n"),
            (nil, nil, "event: x", "data: event: x\n\n"),
            (nil, nil, "Ä", "data: Ä\n\n"),
        ] as [(String?, String?, String, String)]
    )
    func `an event is written so that its data cannot be taken for anything else`(
        type: String?,
        id: String?,
        data: String,
        expected: String
    ) {
        let event = ServerSentEvent(type, id: id, data: data.utf8)
        #expect(String(decoding: event.bytes, as: UTF8.self) == expected)
    }

    private static let lastEventID = LastEventID(.wholeNumber(in: 0...100), example: 0)

    @Test(
        arguments: [
            ("/", [], "nil"), ("/?last_event_id=7", [], "7"), ("/", ["Last-Event-ID: 8"], "8"),
            ("/?last_event_id=7", ["last-event-id: 8"], "8"),
            ("/?last_event_id=x", ["Last-Event-ID: 8"], "INVALID_PARAMETER last_event_id"),
            ("/?last_event_id=-1", [], "INVALID_PARAMETER last_event_id"),
            ("/?last_event_id=101", [], "INVALID_PARAMETER last_event_id"),
            ("/?last_event_id=1&last_event_id=1", [], "INVALID_PARAMETER last_event_id"),
            ("/", ["Last-Event-ID: 8", "Last-Event-ID: 9"], "INVALID_PARAMETER Last-Event-ID"),
            ("/", ["Last-Event-ID: abc"], "INVALID_PARAMETER Last-Event-ID"),
        ] as [(String, [String], String)]
    )
    func `a client that returns says where it was in the header or in the query`(
        target: String,
        fields: [String],
        expected: String
    ) throws {
        let request = try #require(RequestContent(target: target, fields: fields))
        var reading = try Fields(request)
        let found = Self.lastEventID.read(&reading)
        do {
            try reading.finish()
            #expect(found.map { "\($0)" } ?? "nil" == expected)
        } catch {
            #expect("\(error.code.rawValue) \(error.details[0].field)" == expected)
        }
    }
}
