internal import HTTPBodies
internal import HTTPWire
internal import Reactor

// From bytes to requests.

extension HTTPConnection {
    /// Whether nothing more is parsed until something else is done.
    var isPaused: Bool {
        let mostExchanges = isOutputLate ? 1 : configuration.pipelineLimit
        return held != nil || exchanges.count >= mostExchanges || !hasRoom
            || receiving?.request.body.isFull ?? false || tunnel?.isFull ?? false
            || exchanges.last?.holdsInput ?? false
    }

    /// Parses `bytes`; those that must wait are copied.
    func take(_ bytes: Span<UInt8>) {
        var position = 0
        while !ignoresInput {
            hasMoreInput = position < bytes.count
            // Also with no bytes: the parser may owe the end of a body.
            guard hasMoreInput || !parser.isBetweenRequests else { break }
            guard !isPaused else {
                if hasMoreInput { unparsed.append(copying: bytes.extracting(position...)) }
                break
            }
            if let tunnel {
                // The parser may owe the end of the request still, which is nothing that the client said.
                if hasMoreInput { tunnel.receive(bytes.extracting(position...)) }
                break
            }
            do throws(HTTPParseError) {
                let rest = bytes.extracting(position...)
                let (action, consumed) = try parser.step(rest)
                position += consumed
                hasMoreInput = position < bytes.count
                switch consume action {
                case .needMoreBytes:
                    return
                case .deliverHead(let head): arrived(head)
                case .deliverBody(let range): arrived(rest.extracting(range))
                case .finishRequest: requestEnded()
                }
            } catch {
                refuse(.malformed(error), bodyError: .malformed(error))
            }
        }
        hasMoreInput = false
    }

    /// Goes on with what had to wait.
    func resumeParsing() {
        if let head = held, exchanges.isEmpty, case .open = phase {
            held = nil
            dispatch(head)
        }
        guard !isPaused, !ignoresInput else { return }
        var bytes: [UInt8] = []
        swap(&bytes, &unparsed)
        take(bytes.span)
    }

    private func arrived(_ head: consuming RequestHead) {
        // Only safe methods may run beside others (RFC 9112 §9.3.2).
        let isSafe = head.method.isSafe
        let mustWait = exchanges.last.map { !($0.request.head.method.isSafe && isSafe) } ?? false
        if mustWait { held = head } else { dispatch(head) }
    }

    private func dispatch(_ head: consuming RequestHead) {
        let (hasBody, keepsAlive) = (head.framing.hasBytes, head.keepsAlive)
        let exchange = HTTPExchange(head, on: self)
        begin(.answer)
        exchanges.append(exchange)
        server.opened(exchange)
        if hasBody { expectBody(of: exchange) }
        if !keepsAlive && !hasBody { ignoresInput = true }
        if isRefused || !server.admits(exchange) {
            exchange.respond(server.refusal(.overloaded))
        } else {
            server.handle(exchange)
        }
    }

    private func expectBody(of exchange: HTTPExchange) {
        receiving = exchange
        bodyPace = Pace()
    }

    private func arrived(_ body: Span<UInt8>) {
        guard let receiving else { return }
        progressed(.body, bytes: body.count)
        receiving.request.body.receive(body)
        let isUnwanted = !exchanges.contains { $0 === receiving }
        if isUnwanted, receiving.request.body.receivedBytes > Self.droppedLimitBytes { endAfterOutput(lingers: true) }
    }

    private func requestEnded() {
        guard let exchange = receiving else { return }
        receiving = nil
        if !exchange.request.head.keepsAlive { ignoresInput = true }
        exchange.request.body.finish(trailers: parser.trailers)
    }

    /// The client has finished sending. It may still read, so answers that come soon are sent.
    func inputEnded() {
        if case .lingering = phase { return close() }
        hasEnded = true
        ignoresInput = true
        let body = receiving?.request.body
        receiving = nil
        body?.fail(.cut)
        tunnel?.finish()
        if exchanges.isEmpty, held == nil { return endAfterOutput(lingers: false) }
        progressed(.answer)
        armTimer()
    }

    /// What follows is not HTTP: it goes to the answer of `exchange`, which has begun.
    func beginTunnel(_ exchange: HTTPExchange) -> HTTPBody {
        let tunnel = HTTPBody(declaredLength: nil, windowBytes: configuration.bodyWindowBytes, source: self)
        self.tunnel = tunnel
        if hasEnded { tunnel.finish() }
        mark()
        return tunnel
    }

    // MARK: Refusals

    /// Answers `reason` in place of the request that was being read, and closes.
    ///
    /// - Parameter bodyError: What its handler learns, after the answer, which is thus not the handler's to give.
    func refuse(_ reason: HTTPRefusal, bodyError: HTTPBodyError? = nil) {
        ignoresInput = true
        unparsed = []
        let exchange = receiving
        receiving = nil
        let notify = bodyError.flatMap { exchange?.request.body.failing($0) }
        let response = server.refusal(reason)
        if let exchange {
            // If its answer is given already, that was the last word.
            exchange.refuse(response)
        } else {
            refusal = response
        }
        advance()
        notify?()
    }

    /// Gives up on the handler of the oldest request.
    func refuseUnanswered() {
        guard let exchange = exchanges.first else { return close() }
        ignoresInput = true
        // A response that has begun cannot be replaced.
        guard exchange.refuse(server.refusal(.unanswered)) else { return close() }
        exchange.clientLeft()
    }
}

extension HTTPMethod {
    /// Whether the request is essentially read-only (RFC 9110 §9.2.1).
    var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        default: false
        }
    }
}
