/// What a simulated provider does with a question.
enum ProviderReply: Hashable, Sendable {
    case answer(status: UInt16, type: String?, fields: [String: String] = [:], body: [UInt8])
    /// It does not answer.
    case hang
    /// It begins an answer and cuts the connection.
    case cut

    static func json(_ text: String, status: UInt16 = 200, fields: [String: String] = [:]) -> ProviderReply {
        .answer(status: status, type: "application/json; charset=utf-8", fields: fields, body: Array(text.utf8))
    }

    static func text(_ text: String, status: UInt16, fields: [String: String] = [:]) -> ProviderReply {
        .answer(status: status, type: "text/plain", fields: fields, body: Array(text.utf8))
    }

    /// A page for browsers.
    static func page(_ title: String, status: UInt16) -> ProviderReply {
        let page = "<!DOCTYPE html><html><head><title>\(title)</title></head><body><h1>\(title)</h1></body></html>"
        return .answer(status: status, type: "text/html; charset=utf-8", body: Array(page.utf8))
    }
}

/// What is asked of a simulated provider.
struct ProviderQuestion: Sendable {
    let symbol: String
    /// The price to tell, as the text of a number that is not zero.
    let price: String
    /// Seconds since 1970.
    let time: Int
}

/// One way in which a provider answers: a price, a refusal, or an oddity that somebody has met.
struct ProviderAnswer: Sendable {
    /// What a client of quotes has to make of it.
    enum Verdict: String, CaseIterable, Sendable {
        case price
        case unknownSymbol = "unknown_symbol"
        case noData = "no_data"
        case refused, malformed, unreachable
    }

    /// The word that switches it on.
    let name: String
    /// What it is, in one clause.
    let meaning: String
    let verdict: Verdict
    let reply: @Sendable (ProviderQuestion) -> ProviderReply

    init(
        _ name: String,
        _ verdict: Verdict,
        _ meaning: String,
        reply: @escaping @Sendable (ProviderQuestion) -> ProviderReply
    ) {
        self.name = name
        self.verdict = verdict
        self.meaning = meaning
        self.reply = reply
    }
}

extension ProviderAnswer {
    /// What any provider may do, given how it tells a price.
    static func common(price: @escaping @Sendable (ProviderQuestion) -> String) -> [ProviderAnswer] {
        [
            ProviderAnswer("price", .price, "a price") { .json(price($0)) },
            ProviderAnswer("refused", .refused, "429 with plain text") { _ in
                .text("Too Many Requests\r\n", status: 429)
            },
            ProviderAnswer("refused_for_30_s", .refused, "429 with `Retry-After: 30`") { _ in
                .text("Too Many Requests\r\n", status: 429, fields: ["Retry-After": "30"])
            },
            ProviderAnswer("refused_with_price", .refused, "429, and yet a price in the body") {
                .json(price($0), status: 429)
            },
            ProviderAnswer("forbidden", .refused, "403 with JSON") { _ in
                .json(#"{"error":"You don't have access to this resource."}"#, status: 403)
            },
            ProviderAnswer("unavailable", .refused, "503 with `Retry-After: 7`") { _ in
                .answer(status: 503, type: nil, fields: ["Retry-After": "7"], body: [])
            },
            ProviderAnswer("server_error", .unreachable, "502 with a page") { _ in .page("502 Bad Gateway", status: 502)
            },
            ProviderAnswer("page", .malformed, "200 with a page, such as one that asks for consent") { _ in
                .page("Before you continue", status: 200)
            },
            ProviderAnswer("text", .malformed, "200 with a number as plain text") { .text($0.price, status: 200) },
            ProviderAnswer("mislabelled", .malformed, "a price that says it is HTML") {
                .answer(status: 200, type: "text/html", body: Array(price($0).utf8))
            },
            ProviderAnswer("unlabelled", .malformed, "a price without a media type") {
                .answer(status: 200, type: nil, body: Array(price($0).utf8))
            },
            ProviderAnswer("redirect", .malformed, "302 to a page") { _ in
                .answer(status: 302, type: nil, fields: ["Location": "/consent"], body: [])
            },
            ProviderAnswer("truncated", .malformed, "half of the JSON, well framed") {
                .json(String(decoding: price($0).utf8.prefix(price($0).utf8.count / 2), as: UTF8.self))
            },
            ProviderAnswer("empty", .malformed, "200 with JSON of no bytes") { _ in .json("") },
            ProviderAnswer("not_utf8", .malformed, "JSON with a byte that is not UTF-8") {
                let type = "application/json"
                return .answer(
                    status: 200,
                    type: type,
                    body: Array("{\"x\":\"".utf8) + [0xFF] + Array("\",".utf8)
                        + price($0).utf8.dropFirst()
                )
            },
            ProviderAnswer("huge", .malformed, "2 MiB of spaces before the JSON") {
                .json(String(repeating: " ", count: 2 << 20) + price($0))
            },
            ProviderAnswer("hang", .unreachable, "no answer") { _ in .hang },
            ProviderAnswer("cut", .unreachable, "the connection ends in the middle of the answer") { _ in .cut },
        ]
    }
}
