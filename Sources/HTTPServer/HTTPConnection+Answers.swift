internal import HTTPBodies
internal import HTTPWire
internal import Reactor

// From answers to bytes, in the order of the requests.

extension HTTPConnection {
    /// `exchange` has an answer, or the beginning of one.
    func answered(_ exchange: HTTPExchange) {
        server.answered(exchange)
        // An answer whose turn has not come is kept, and so is to be counted.
        if exchanges.first === exchange { advance() } else { mark() }
    }

    /// The streamed answer of `exchange` is written in full.
    func completed(_ exchange: HTTPExchange) {
        if exchanges.first === exchange { advance() }
    }

    /// The streamed answer of `exchange` cannot be completed.
    func aborted(_ exchange: HTTPExchange) {
        // Not closed here: a handler may be on the stack. What was written before is sent, and then the cut shows.
        if exchanges.first === exchange { endAfterOutput(lingers: false) }
    }

    /// Writes the answers whose turn has come.
    func advance() {
        while case .open = phase, let exchange = exchanges.first {
            if let response = exchange.takeWhole() {
                let keepsAlive = keepsAlive(after: exchange)
                write(response, to: exchange, keepsAlive: keepsAlive)
                finish(exchange, keepsAlive: keepsAlive)
                continue
            }
            switch exchange.answer {
            case .none:
                if exchange.wantsContinue { sendContinue(exchange) }
                return
            case .whole, .given: preconditionFailure("an answer in one piece is given at once")
            case .streamed(let writer):
                guard write(writer, to: exchange) else { return }
            case .pushed(let push):
                return begin(push, of: exchange)
            }
        }
        guard case .open = phase, exchanges.isEmpty, held == nil else { return }
        if let refusal {
            self.refusal = nil
            appendHead(refusal, of: nil, framing: framing(of: refusal), keepsAlive: false)
            if case .bytes(let bytes) = refusal.body { append(bytes) }
            endAfterOutput(lingers: true)
        } else if ignoresInput, receiving == nil {
            // The client asked to close, or has closed, or was refused.
            endAfterOutput(lingers: !hasEnded)
        }
    }

    /// No more is to be said; the connection ends when everything is sent.
    func endAfterOutput(lingers: Bool) {
        guard case .open = phase else { return }
        phase = .closing(lingers: lingers)
        ignoresInput = true
        unparsed = []
        mark()
    }

    /// Bids the client to send the body that it announced, once earlier answers are complete.
    func sendContinue(_ exchange: HTTPExchange) {
        guard exchanges.first === exchange else {
            exchange.wantsContinue = true
            return
        }
        exchange.wantsContinue = false
        append { HeadWriter.appendContinue(to: &$0) }
    }

    /// Passes an interim response on, if nothing of another answer would stand before it.
    func sendInterim(_ status: HTTPStatus, _ fields: HTTPFields, for exchange: HTTPExchange) {
        guard exchanges.first === exchange, exchange.request.head.version == .http11 else { return }
        append { HeadWriter.appendInterim(status, fields: fields, to: &$0) }
    }

    // MARK: Writing

    private func write(_ response: HTTPResponse, to exchange: HTTPExchange, keepsAlive: Bool) {
        appendHead(response, of: exchange, framing: framing(of: response), keepsAlive: keepsAlive)
        guard case .bytes(let bytes) = response.body, !response.status.forbidsBody,
            exchange.request.head.method != .head
        else { return }
        append(bytes)
    }

    /// Returns whether the next answer may follow.
    private func write(_ writer: HTTPResponseWriter, to exchange: HTTPExchange) -> Bool {
        if !writer.isHeadSent {
            writer.isHeadSent = true
            let keepsAlive = writer.framing != .untilClose && keepsAlive(after: exchange)
            writer.keepsAlive = keepsAlive
            appendHead(writer.response, of: exchange, framing: writer.framing, keepsAlive: keepsAlive)
            append(writer.start())
            if writer.isAborted {
                endAfterOutput(lingers: false)
                return false
            }
        }
        guard writer.isComplete else { return false }
        finish(exchange, keepsAlive: writer.keepsAlive)
        return true
    }

    /// Writes the head; once it is sent, the socket is given up, see ``turnEnds()``.
    private func begin(_ push: HTTPPush, of exchange: HTTPExchange) {
        guard !push.isHeadWritten else { return }
        push.isHeadWritten = true
        // Whatever else the client says will not be answered.
        ignoresInput = true
        unparsed = []
        let framing = push.isChunked ? BodyFraming.chunked : .untilClose
        let response = HTTPResponse(.ok, fields: push.fields)
        appendHead(response, of: exchange, framing: framing, keepsAlive: false)
    }

    private func finish(_ exchange: HTTPExchange, keepsAlive: Bool) {
        exchanges.removeFirst()
        tunnel.take()?.fail(.unwanted)
        if !keepsAlive { endAfterOutput(lingers: lingers(after: exchange)) }
        exchange.detach()
        server.finished(exchange)
        // Last, because it may call the handler. What is left of the body is read and dropped.
        exchange.request.body.fail(.unwanted)
    }

    /// - Parameter exchange: nil for the answer to what never became a request.
    private func appendHead(
        _ response: HTTPResponse,
        of exchange: HTTPExchange?,
        framing: BodyFraming,
        keepsAlive: Bool
    ) {
        let date = server.dateLine
        let version = exchange?.request.head.version ?? .http11
        append { buffer in
            HeadWriter.appendResponse(
                response.status,
                fields: response.fields,
                framing: framing,
                version: version,
                keepsAlive: keepsAlive,
                date: date,
                to: &buffer
            ) { exchange?.answerFields?.appendFields(to: &$0) }
        }
    }

    private func framing(of response: HTTPResponse) -> BodyFraming {
        switch response.body {
        case .omitted(let length) where response.status == .notModified || !response.status.forbidsBody:
            return length.map { .length($0) } ?? .none
        case _ where response.status.forbidsBody: return .none
        case .empty, .omitted: return .length(0)
        case .bytes(let bytes): return .length(bytes.count)
        case .stream, .openEnded: preconditionFailure("streams are written by a writer")
        }
    }

    // MARK: Keeping the connection

    /// Whether another answer may follow the one to `exchange`, which is the oldest.
    private func keepsAlive(after exchange: HTTPExchange) -> Bool {
        guard exchange.request.head.keepsAlive, !isRefused else { return false }
        let othersWait = exchanges.count > 1 || held != nil || refusal != nil
        if ignoresInput { return othersWait }
        // While draining, the last of the requests that are here carries the word that no more are taken.
        if server.isDraining, !othersWait, !hasMoreInput, unparsed.isEmpty { return false }
        return receiving !== exchange || canDropRest(of: exchange)
    }

    /// Whether the rest of the body of `exchange` is short enough to be read and dropped.
    private func canDropRest(of exchange: HTTPExchange) -> Bool {
        let body = exchange.request.body
        // A client that waits for 100 Continue may now send the body or the next request: who knows which.
        guard !(exchange.request.head.expectsContinue && body.isUnasked) else { return false }
        guard let length = body.declaredLength else { return true }
        return length - body.receivedBytes <= Self.droppedLimitBytes
    }

    /// Whether a close at once could destroy the answer: not if the client said that it sends no more.
    private func lingers(after exchange: HTTPExchange) -> Bool {
        exchange.request.head.keepsAlive || receiving === exchange || hasMoreInput
    }
}
