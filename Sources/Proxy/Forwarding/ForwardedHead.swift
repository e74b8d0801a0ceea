internal import HTTPBodies
internal import HTTPServer
internal import HTTPWire
internal import RateLimits
internal import Reactor
internal import Tracing
internal import WebAPI

/// Writes the head of a request for an upstream: the client's, with what this hop has to say.
@ReactorActor
enum ForwardedHead {
    /// What this proxy is called in `Via` and `Proxy-Status`; never a host name.
    nonisolated static let pseudonym = "tickloop"
    private static let via11 = FieldLine("Via", "1.1 \(pseudonym)")
    private static let via10 = FieldLine("Via", "1.0 \(pseudonym)")
    private static let forwardedFor = FieldName("X-Forwarded-For")
    private static let forwardedHost = FieldName("X-Forwarded-Host")
    private static let http = FieldLine("X-Forwarded-Proto", "http")
    private static let https = FieldLine("X-Forwarded-Proto", "https")

    /// Appends the head of the request of `context`.
    ///
    /// - Parameters:
    ///   - head: The client's.
    ///   - upgrade: The protocol that the client would rather speak; nil for none.
    ///   - task: What the cache asks, in the place of what the client does.
    static func append(
        _ context: RequestContext,
        _ head: RequestHead,
        _ path: ProxyPath,
        to upstream: Upstream,
        framing: BodyFraming,
        upgrade: String? = nil,
        task: CacheTask? = nil,
        _ bytes: inout [UInt8]
    ) {
        HeadWriter.appendRequest(
            head.method,
            host: path.route.keepsHost ? head.authority.map { .host($0) } ?? upstream.host : upstream.host,
            framing: framing,
            to: &bytes
        ) { target in
            target.append(utf8: upstream.url.basePath)
            path.route.appendTarget(of: head, to: &target)
        } appendFields: { lines in
            // The client's list of what belongs to its hop is carried out before ours are added, so that it cannot name
            // one of ours.
            let hidesToken = path.route.hidesToken(of: context)
            let hops = HopCount.left(of: context)
            head.fields.appendEndToEnd(to: &lines, announcesTrailers: framing == .chunked) { name in
                FieldNames.isWrittenByProxy(name) || !head.expectsContinue && name.isIgnoringCase("expect")
                    || hidesToken && name.isIgnoringCase("authorization") || task?.replaces(name) ?? false
                    || hops != nil && name.isIgnoringCase(HopCount.field.text)
            }
            if let hops {
                HeadWriter.appendField(HopCount.field, to: &lines) { $0.append(utf8: "\(max(0, hops - 1))") }
            }
            if let conditions = task?.conditions {
                for field in conditions {
                    HeadWriter.appendField(field.name, to: &lines) { $0.append(utf8: field.value) }
                }
            }
            appendForwarded(context, head, by: path.route, &lines)
            appendOwn(context, head, &lines)
            appendHop(head, upgrade, &lines)
        }
    }

    /// What the client said for its hop and we say for ours.
    private static func appendHop(_ head: RequestHead, _ upgrade: String?, _ lines: inout [UInt8]) {
        let takesTrailers = head.fields.list("te", contains: "trailers")
        guard upgrade != nil || takesTrailers else { return }
        let options = [takesTrailers ? "TE" : nil, upgrade.map { _ in "Upgrade" }].compactMap { $0 }
        HeadWriter.appendField("Connection", to: &lines) { $0.append(utf8: options.joined(separator: ", ")) }
        if takesTrailers { HeadWriter.appendField("TE", to: &lines) { $0.append(utf8: "trailers") } }
        if let upgrade { HeadWriter.appendField("Upgrade", to: &lines) { $0.append(utf8: upgrade) } }
    }

    /// Whether an upstream is told a key by which it knows a request that it gets twice.
    static func passesIdempotencyKey(of head: RequestHead) -> Bool {
        head.fields["idempotency-key"]?.isEmpty == false && !head.fields.list("connection", contains: "idempotency-key")
    }

    /// The protocols that a request asks for and that may be passed on. Not HTTP/2: `h2c` is asked for by clients that
    /// do well without it, and would hide what follows from us.
    static func upgrade(of head: RequestHead) -> String? {
        guard head.asksForUpgrade else { return nil }
        let wishes = head.fields.values("upgrade").flatMap { QuotedList.members(of: $0) }
            .filter { $0.lowercased() != "h2c" }
        return wishes.isEmpty ? nil : wishes.joined(separator: ", ")
    }

    /// Takes out of the trailers of a request what is taken out of its head.
    static func passTrailers(of context: RequestContext, by route: ProxyRoute) {
        let fields = context.head.fields
        let hidesToken = route.hidesToken(of: context)
        context.request.body.passTrailers { trailers in
            fields.endToEnd(trailers: trailers) { name in
                FieldNames.isWrittenByProxy(name) || name.isIgnoringCase("via")
                    || hidesToken && name.isIgnoringCase("authorization")
            }
        }
    }

    /// Who asked, and how. What a trusted peer says of that goes on; its own address stands behind it.
    private static func appendForwarded(
        _ context: RequestContext,
        _ head: RequestHead,
        by route: ProxyRoute,
        _ lines: inout [UInt8]
    ) {
        let isTrusted =
            !route.trusted.isEmpty
            && context.peerAddress.map { peer in route.trusted.contains { $0.contains(peer) } } == true
        if let host = context.peerHost {
            HeadWriter.appendField(Self.forwardedFor, to: &lines) { line in
                for hops in isTrusted ? head.fields.values("x-forwarded-for") : [] where !hops.isEmpty {
                    line.append(utf8: hops)
                    line.append(utf8: ", ")
                }
                line.append(utf8: host)
            }
        }
        // What is kept is kept under neither, so one client could choose what another gets.
        let isBelieved = isTrusted && !route.isCached
        let scheme = isBelieved ? head.fields["x-forwarded-proto"].flatMap { isScheme($0) ? $0 : nil } : nil
        let isSecure = scheme.map { $0 == "https" } ?? context.isSecure
        HeadWriter.append(isSecure ? Self.https : Self.http, to: &lines)
        if isBelieved, let host = head.fields["x-forwarded-host"], HeadWriter.isAuthority(host) {
            HeadWriter.appendField(Self.forwardedHost, to: &lines) { $0.append(utf8: host) }
        } else if let authority = head.authorityBytes {
            HeadWriter.appendField(Self.forwardedHost, to: &lines) { $0.append(contentsOf: authority) }
        }
    }

    private static func isScheme(_ text: String) -> Bool { text == "http" || text == "https" }

    private static func appendOwn(_ context: RequestContext, _ head: RequestHead, _ lines: inout [UInt8]) {
        HeadWriter.append(head.version == .http11 ? Self.via11 : Self.via10, to: &lines)
        HeadWriter.appendField(WebService.requestIDField, to: &lines) { context.identity.requestID.append(to: &$0) }
        HeadWriter.appendField(WebService.traceField, to: &lines) { context.identity.trace.append(to: &$0) }
        if let state = context.identity.traceState {
            HeadWriter.appendField(WebService.traceStateField, to: &lines) { $0.append(utf8: state) }
        }
    }
}

/// How far a request that asks about the way to somewhere may go (RFC 9110 §7.6.2).
enum HopCount {
    static let field = FieldName("Max-Forwards")

    /// How many hops a request has left; nil for one that is not counted, because its method is another one or it says
    /// nothing that is a number.
    @ReactorActor
    static func left(of context: RequestContext) -> Int? {
        // Nearly all are other ones, and the head is not copied for them.
        switch context.method {
        case .options, .trace: break
        default: return nil
        }
        guard let digits = context.head.fields.onlyValueBytes(field.text), (1...9).contains(digits.count),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return digits.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }
}

/// Names of fields that a proxy decides about.
enum FieldNames {
    /// Whether a field of a request says what only this hop may say: who the client is, under which name the request
    /// runs, and what is between the client and a proxy.
    static func isWrittenByProxy(_ name: Span<UInt8>) -> Bool {
        guard name.count >= 5 else { return false }
        switch name[0] | 0x20 {
        case UInt8(ascii: "x"): return isForwarded(name) || name.isIgnoringCase(WebService.requestIDField.text)
        case UInt8(ascii: "f"): return name.isIgnoringCase("forwarded")
        case UInt8(ascii: "p"): return isProxy(name)
        case UInt8(ascii: "h"): return name.isIgnoringCase("http2-settings")
        case UInt8(ascii: "t"):
            return name.isIgnoringCase(WebService.traceField.text)
                || name.isIgnoringCase(WebService.traceStateField.text)
        default: return false
        }
    }

    /// Whether a field of an answer is not passed on to the client.
    static func isForProxy(_ name: Span<UInt8>) -> Bool {
        switch name[0] | 0x20 {
        case UInt8(ascii: "x"): name.isIgnoringCase(WebService.requestIDField.text)
        case UInt8(ascii: "p"): name.isIgnoringCase("proxy-authenticate")
        default: false
        }
    }

    /// Whether a field of an answer says which pages of other origins may read it.
    static func isOfCrossOrigin(_ name: Span<UInt8>) -> Bool { startsAlike(name, "access-control-") }

    /// `X-Forwarded-…` and `X-Real-IP`, also as `X_Forwarded_For` or `X.Forwarded.For`: what reads variables of CGI
    /// cannot tell them apart.
    private static func isForwarded(_ name: Span<UInt8>) -> Bool {
        startsAlike(name, "x-forwarded-") || name.count == 9 && startsAlike(name, "x-real-ip")
    }

    /// `Proxy-…`, which is between the client and us, and `Proxy`, which becomes the variable `HTTP_PROXY`.
    private static func isProxy(_ name: Span<UInt8>) -> Bool {
        startsAlike(name, "proxy-") || name.count == 5 && startsAlike(name, "proxy")
    }

    /// Whether a name starts with `prefix`, any mark standing for its hyphens.
    private static func startsAlike(_ name: Span<UInt8>, _ prefix: String) -> Bool {
        guard name.count >= prefix.utf8.count else { return false }
        var index = 0
        for expected in prefix.utf8 {
            let byte = name[index]
            let isMark = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            guard expected == UInt8(ascii: "-") ? isMark : byte | 0x20 == expected else { return false }
            index += 1
        }
        return true
    }
}
