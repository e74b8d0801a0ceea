internal import Basics
internal import JSONWire

/// Writes spans as the body of an export request: OTLP's `ExportTraceServiceRequest` in its JSON form.
///
/// That form is Protobuf's JSON mapping with two exceptions: ids are hexadecimal, and enumerations are numbers. Whole
/// numbers of 64 bits are strings, because JSON's readers tend to make doubles of numbers.
///
/// Pure, and fed span by span, so that a large batch can be written over several turns of the loop.
///
/// - SeeAlso: OpenTelemetry Protocol 1.5, "JSON Protobuf Encoding"; `opentelemetry/proto/trace/v1/trace.proto`.
struct SpanEncoder {
    private var writer: JSONWriter
    private var digits: [UInt8] = []

    /// Begins a batch.
    ///
    /// - Parameter resource: What the spans come from.
    init(resource: [SpanAttribute]) {
        writer = JSONWriter(capacity: 16 * 1024)
        writer.beginObject()
        writer.key("resourceSpans")
        writer.beginArray()
        writer.beginObject()
        writer.key("resource")
        writer.beginObject()
        write(resource)
        writer.endObject()
        writer.key("scopeSpans")
        writer.beginArray()
        writer.beginObject()
        writer.key("scope")
        writer.object { $0.member("name", "tickloop") }
        writer.key("spans")
        writer.beginArray()
    }

    /// Ends the batch.
    consuming func finish() -> [UInt8] {
        // spans, scopeSpans' element, scopeSpans, resourceSpans' element, resourceSpans, the request
        writer.endArray()
        writer.endObject()
        writer.endArray()
        writer.endObject()
        writer.endArray()
        writer.endObject()
        return writer.take()
    }

    mutating func append(_ span: SpanRecord) {
        writer.beginObject()
        write(span.context)
        if let state = span.traceState { writer.member("traceState", state) }
        if let parent = span.parentSpanID { write("parentSpanId", parent) }
        writer.member("flags", Self.flags(of: span))
        writer.member("name", span.name)
        writer.member("kind", span.kind.rawValue)
        writer.member("startTimeUnixNano", String(span.startNanoseconds))
        writer.member("endTimeUnixNano", String(span.endNanoseconds))
        write(span.attributes)
        if !span.links.isEmpty {
            writer.key("links")
            writer.beginArray()
            for link in span.links {
                writer.beginObject()
                write(link)
                writer.endObject()
            }
            writer.endArray()
        }
        if case .failed(let message) = span.status {
            writer.key("status")
            writer.object { writer in
                if !message.isEmpty { writer.member("message", message) }
                writer.member("code", 2)
            }
        }
        writer.endObject()
    }

    /// `SpanFlags`: the trace's own flags, and whether the parent is another process's.
    private static func flags(of span: SpanRecord) -> Int {
        let (isRemoteKnown, isRemote) = (0x100, 0x200)
        let isParentRemote = span.parentSpanID != nil && span.kind.hasRemoteParent
        return Int(span.context.flags) | isRemoteKnown | (isParentRemote ? isRemote : 0)
    }

    private mutating func write(_ context: TraceContext) {
        digits.removeAll(keepingCapacity: true)
        Hexadecimal.append(context.traceID.high, to: &digits)
        Hexadecimal.append(context.traceID.low, to: &digits)
        writer.key("traceId")
        writer.string(utf8: digits)
        write("spanId", context.spanID)
    }

    private mutating func write(_ name: String, _ spanID: UInt64) {
        digits.removeAll(keepingCapacity: true)
        Hexadecimal.append(spanID, to: &digits)
        writer.key(name)
        writer.string(utf8: digits)
    }

    private mutating func write(_ attributes: [SpanAttribute]) {
        writer.key("attributes")
        writer.beginArray()
        for attribute in attributes {
            writer.beginObject()
            writer.member("key", attribute.key)
            writer.key("value")
            writer.object { writer in
                switch attribute.value {
                case .text(let text): writer.member("stringValue", text)
                case .integer(let number): writer.member("intValue", String(number))
                case .number(let number):
                    writer.key("doubleValue")
                    writer.number(number)
                case .flag(let flag): writer.member("boolValue", flag)
                }
            }
            writer.endObject()
        }
        writer.endArray()
    }
}
