internal import TaskQueue

extension Benchmark {
    /// A task's way into Redis and out of it.
    static let queue = [
        Benchmark(name: "queue/write-envelope", kind: .core { envelopeWriting() }),
        Benchmark(name: "queue/parse-envelope", kind: .core { envelopeParsing() }),
        Benchmark(name: "queue/round-trip", kind: .queue),
    ]

    private static let arguments = #"{"start_date":"2025-01-06","end_date":"2025-01-20"}"#
    private static let envelope = """
        {"id":"01a1fd76-c4ba-78d7-ac0f-73e05585ea05","name":"prices.average","arguments":\(arguments),"attempt":1,\
        "created_at":1736121600000,"time_limit":10000,"reply":"q:{tasks}:reply:01a1fd76c4ba78d7",\
        "request_id":"\(Example.requestID)","traceparent":"\(Example.trace)"}
        """

    private static func parsed(_ text: [UInt8]) -> TaskEnvelope {
        guard let envelope = TaskEnvelope(parsing: text.span) else { preconditionFailure("not an envelope") }
        return envelope
    }

    private static func envelopeWriting() -> Workload {
        let envelope = parsed(Array(envelope.utf8))
        return { count in
            for _ in 0..<count { keep(envelope.encoded()) }
        }
    }

    private static func envelopeParsing() -> Workload {
        let text = Array(envelope.utf8)
        return { count in
            for _ in 0..<count { keep(parsed(text)) }
        }
    }
}
