internal import HTTPServer
internal import HTTPWire
internal import Reactor
internal import WebAPI

/// Gives a kept answer to a client, the whole of it or what the client asked for, at the client's pace and while it
/// still comes from the upstream.
@ReactorActor
final class CachedDelivery {
    /// Written in one step.
    private static let pieceBytes = 64 * 1024

    private let answer: CachedAnswer
    private let writer: HTTPResponseWriter
    private var position: Int
    private let end: Int?
    private var onEnd: ((_ isWhole: Bool) -> Void)?
    /// Its place among the readers of the answer, while it waits for more.
    private var place: Int?

    /// Answers the request of `context`.
    ///
    /// - Parameters:
    ///   - status: What `Cache-Status` says.
    ///   - onEnd: Called once, with the status that was given, when the answer is written; before this returns if it
    ///     is complete.
    /// - Returns: The delivery, if the answer is not complete.
    @discardableResult
    static func give(
        _ answer: CachedAnswer,
        to context: RequestContext,
        status: String,
        now: Int,
        onEnd: @escaping @ReactorActor (HTTPStatus, _ isWhole: Bool) -> Void
    ) -> CachedDelivery? {
        let head = context.head
        var fields = answer.fields(now: now)
        fields.append("Cache-Status", status)
        if answer.status == .ok, ClientConditions.areMet(head, by: fields) {
            context.respond(HTTPResponse(.notModified, fields: fields, body: .omitted(length: nil)))
            onEnd(.notModified, true)
            return nil
        }
        let length = answer.progress == .complete ? answer.body.count : answer.length
        if head.method == .head {
            context.respond(HTTPResponse(answer.status, fields: fields, body: .omitted(length: length)))
            onEnd(answer.status, true)
            return nil
        }
        var range: Range<Int>?
        if answer.status == .ok, let length {
            switch RequestedRange.asked(head, of: length, fields, isModificationStrong: answer.isModificationStrong) {
            case .whole: break
            case .unsatisfiable:
                fields.append("Content-Range", "bytes */\(length)")
                fields.remove("content-type")
                context.respond(HTTPResponse(.rangeNotSatisfiable, fields: fields))
                onEnd(.rangeNotSatisfiable, true)
                return nil
            case .part(let part):
                range = part
                fields.append("Content-Range", "bytes \(part.lowerBound)-\(part.upperBound - 1)/\(length)")
            }
        }
        let status: HTTPStatus = range == nil ? answer.status : .partialContent
        if answer.progress == .complete {
            let body = range.map { Array(answer.body[$0]) } ?? answer.body
            context.respond(HTTPResponse(status, fields: fields, body: .bytes(body)))
            onEnd(status, true)
            return nil
        }
        let writer = context.startResponse(status, fields: fields, length: range?.count ?? length)
        let delivery = CachedDelivery(answer, writer, range) { onEnd(status, $0) }
        delivery.write()
        return delivery
    }

    private init(
        _ answer: CachedAnswer,
        _ writer: HTTPResponseWriter,
        _ range: Range<Int>?,
        onEnd: @escaping @ReactorActor (Bool) -> Void
    ) {
        self.answer = answer
        self.writer = writer
        position = range?.lowerBound ?? 0
        end = range?.upperBound
        self.onEnd = onEnd
    }

    /// The client has left.
    func leave() {
        if let place = place.take() { answer.leave(place) }
        finish(isWhole: false)
    }

    /// Whether nothing more is written.
    var isEnded: Bool { onEnd == nil }

    private func finish(isWhole: Bool) { onEnd.take()?(isWhole) }

    private func write() {
        place = nil
        while !writer.isClosed {
            let dropped = answer.droppedBytes
            let available = min(dropped + answer.body.count, end ?? .max)
            if position < available {
                guard writer.hasRoom else { return writer.whenRoom { self.write() } }
                let piece = position..<min(available, position + Self.pieceBytes)
                let body = answer.body
                writer.write(body.span.extracting(piece.lowerBound - dropped..<piece.upperBound - dropped))
                position = piece.upperBound
                answer.dropRead(upTo: position)
            } else if position == end || answer.progress == .complete {
                writer.finish()
                return finish(isWhole: true)
            } else if answer.progress == .cut {
                writer.abort()
                return finish(isWhole: false)
            } else {
                place = answer.whenMore { self.write() }
                return
            }
        }
        finish(isWhole: false)
    }
}

/// What a client has already (RFC 9110 §13).
enum ClientConditions {
    /// Whether the answer with these fields is what the client has, so that 304 says it all.
    static func areMet(_ request: RequestHead, by fields: HTTPFields) -> Bool {
        let tags = request.fields.values("if-none-match")
        if !tags.isEmpty {
            if tags == ["*"] { return true }
            guard let own = fields["etag"] else { return false }
            return tags.contains { QuotedList.members(of: $0).contains { weak($0) == weak(Substring(own)) } }
        }
        // What does not say when it was changed was so by its date (RFC 9111 §4.3.2).
        guard let since = request.fields.onlyValue("if-modified-since").flatMap({ HTTPDate.parse($0) }),
            let modified = (fields["last-modified"] ?? fields["date"]).flatMap({ HTTPDate.parse($0) })
        else { return false }
        return modified <= since
    }

    /// Whether a request asks something that a whole answer cannot tell: it goes to the upstream as it is.
    static func arePresent(_ request: RequestHead) -> Bool {
        ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range"]
            .contains { request.fields.contains($0) }
    }

    /// A tag as weak comparison takes it.
    static func weak(_ tag: Substring) -> Substring { tag.hasPrefix("W/") ? tag.dropFirst(2) : tag }
}

/// The part of a body that a client asks for (RFC 9110 §14).
enum RequestedRange {
    enum Asked: Equatable {
        case whole
        case part(Range<Int>)
        case unsatisfiable
    }

    /// Of several parts the whole is given.
    ///
    /// - Parameter isModificationStrong: Whether the time in `Last-Modified` is this body's alone.
    static func asked(
        _ request: RequestHead,
        of length: Int,
        _ fields: HTTPFields,
        isModificationStrong: Bool
    ) -> Asked {
        guard let text = request.fields.onlyValue("range"), mayBePart(request, fields, isModificationStrong) else {
            return .whole
        }
        return parse(text, of: length)
    }

    static func parse(_ text: String, of length: Int) -> Asked {
        guard text.lowercased().hasPrefix("bytes=") else { return .whole }
        let spec = text.dropFirst(6).filter { $0 != " " && $0 != "\t" }
        let ends = spec.split(separator: "-", omittingEmptySubsequences: false)
        guard !spec.contains(","), ends.count == 2,
            ends.allSatisfy({ $0.isEmpty || DeltaSeconds.parse(String($0)) != nil })
        else { return .whole }
        switch (number(ends[0]), number(ends[1])) {
        case (nil, nil): return .whole
        case (nil, let last?): return last == 0 || length == 0 ? .unsatisfiable : .part(max(0, length - last)..<length)
        case (let first?, nil): return first < length ? .part(first..<length) : .unsatisfiable
        case (let first?, let last?):
            guard first <= last else { return .whole }
            return first < length ? .part(first..<min(last, length - 1) + 1) : .unsatisfiable
        }
    }

    private static func number(_ text: Substring) -> Int? { text.isEmpty ? nil : Int(text) ?? Int(Int32.max) }

    /// `If-Range`: only the same answer may be pieced together (RFC 9110 §13.1.5).
    private static func mayBePart(
        _ request: RequestHead,
        _ fields: HTTPFields,
        _ isModificationStrong: Bool
    ) -> Bool {
        guard let condition = request.fields["if-range"] else { return true }
        if condition.hasPrefix("\"") { return condition == fields["etag"] }
        return isModificationStrong && condition == fields["last-modified"]
    }
}
