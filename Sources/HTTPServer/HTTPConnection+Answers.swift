internal import HTTPBodies
internal import HTTPWire
internal import Reactor

// From answers to bytes, in the order of the requests.

extension HTTPConnection {
    /// `exchange` has an answer, or the beginning of one.
    func answered(_ exchange: HTTPExchange) {
        server.answered(exchange)
        // An answer whose turn has not come is kept, and so is to be counted.
        if machine.oldest === exchange { writeAnswers() } else { mark() }
    }

    /// The streamed answer of `exchange` is written in full.
    func completed(_ exchange: HTTPExchange) {
        if machine.oldest === exchange { writeAnswers() }
    }

    /// The streamed answer of `exchange` cannot be completed.
    func aborted(_ exchange: HTTPExchange) {
        // Not closed here: a handler may be on the stack. What was written before is sent, and then the cut shows.
        if machine.oldest === exchange { cut() }
    }

    /// The same of an answer that was to go on without the connection.
    func aborted(_ push: HTTPPush) {
        if case .pushed(push)? = machine.oldest?.answer { cut() }
    }

    /// Writes the answers whose turn has come.
    func writeAnswers() {
        while let exchange = machine.turn {
            guard writeAnswer(of: exchange) else { return }
        }
        if let response = machine.takeLastWord() { write(response, to: nil, keepsAlive: false) }
        mark()
    }

    /// Passes an interim response on, if nothing of another answer would stand before it.
    func sendInterim(_ status: HTTPStatus, _ fields: HTTPFields, for exchange: HTTPExchange) {
        guard machine.oldest === exchange, exchange.request.head.version == .http11 else { return }
        append { HeadWriter.appendInterim(status, fields: fields, to: &$0) }
    }

    /// What follows is not HTTP: it goes to the answer of `exchange`, which has begun.
    func tunnelBegan(_ exchange: HTTPExchange) {
        machine.tunnelBegan(exchange)
        if machine.isInputEnded { exchange.inputEnded() }
        mark()
    }

    // MARK: Writing

    /// Writes what there is of the answer of the oldest request.
    ///
    /// - Returns: Whether the next answer may follow.
    private func writeAnswer(of exchange: HTTPExchange) -> Bool {
        if let response = exchange.takeWhole() {
            let keepsAlive = machine.keepsAlive
            write(response, to: exchange, keepsAlive: keepsAlive)
            finish(exchange, keepsAlive: keepsAlive)
            return true
        }
        switch exchange.answer {
        case .none: if machine.takeBidding() { append { HeadWriter.appendContinue(to: &$0) } }
        case .whole, .given: preconditionFailure("an answer in one piece is given at once")
        case .streamed(let writer): return write(writer, to: exchange)
        case .pushed(let push): begin(push, of: exchange)
        }
        return false
    }

    private func write(_ response: HTTPResponse, to exchange: HTTPExchange?, keepsAlive: Bool) {
        appendHead(response, of: exchange, framing: framing(of: response), keepsAlive: keepsAlive)
        guard case .bytes(let bytes) = response.body, !response.status.forbidsBody,
            exchange?.request.head.method != .head
        else { return }
        append(bytes)
    }

    /// Returns whether the next answer may follow.
    private func write(_ writer: HTTPResponseWriter, to exchange: HTTPExchange) -> Bool {
        if !writer.isHeadSent {
            writer.isHeadSent = true
            // How long a tunnel may be silent is for whoever passes it on.
            if exchange.isOpenEnded, writer.response.status != .switchingProtocols { expectSignsOfLife() }
            let keepsAlive = writer.framing != .untilClose && machine.keepsAlive
            writer.keepsAlive = keepsAlive
            appendHead(writer.response, of: exchange, framing: writer.framing, keepsAlive: keepsAlive)
            append(writer.start())
            if writer.isAborted {
                cut()
                return false
            }
        }
        guard writer.isComplete else { return false }
        finish(exchange, keepsAlive: writer.keepsAlive)
        return true
    }

    /// Writes the head; once it is sent, the socket is given up, see ``turnEnds()``.
    private func begin(_ push: HTTPPush, of exchange: HTTPExchange) {
        guard !push.isEnded else { return cut() }
        guard !push.isHeadWritten else { return }
        push.isHeadWritten = true
        expectSignsOfLife()
        // Whatever else the client says will not be answered.
        machine.ignoreInput()
        let framing = push.isChunked ? BodyFraming.chunked : .untilClose
        let response = HTTPResponse(.ok, fields: push.fields)
        appendHead(response, of: exchange, framing: framing, keepsAlive: false)
    }

    private func finish(_ exchange: HTTPExchange, keepsAlive: Bool) {
        machine.answered(keepsAlive: keepsAlive)
        exchange.detach()
        server.finished(exchange)
        // Last, because it may call the handler. What is left of the body is read and dropped.
        exchange.input.fail(.unwanted)
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
}
