internal import JSONWire
internal import WebAPI

extension RatePolicy {
    /// What an answer says of it.
    func fields(_ verdict: RateVerdict) -> [(name: String, value: String)] {
        let reset = verdict.resetSeconds
        return [
            ("RateLimit-Limit", String(requests)), ("RateLimit-Remaining", String(verdict.remaining)),
            ("RateLimit-Reset", String(reset)),
            ("RateLimit-Policy", "\"default\";q=\(requests);w=\(seconds)"),
            ("RateLimit", "\"default\";r=\(verdict.remaining);t=\(reset)"),
        ]
    }

    func refusal(after seconds: Int) -> APIError {
        APIError(
            .rateLimited,
            "Rate limit exceeded: \(requests) per \(windowWords)",
            retryAfterSeconds: seconds
        )
    }

    /// What callers may know.
    var additions: RouteAdditions {
        RouteAdditions(
            answerFields: [
                AnswerField(
                    "RateLimit-Limit",
                    "Requests that one client may make in \(windowWords).",
                    .integer(in: 1...Int.max),
                    example: .integer(requests),
                    isAlwaysThere: false
                ),
                AnswerField(
                    "RateLimit-Remaining",
                    "Requests that it may make at once.",
                    .integer(in: 0...Int.max),
                    example: .integer(requests - 1),
                    isAlwaysThere: false
                ),
                AnswerField(
                    "RateLimit-Reset",
                    "Seconds until the oldest request that counts no longer does.",
                    .integer(in: 1...Int.max),
                    example: .integer(seconds),
                    isAlwaysThere: false
                ),
                AnswerField(
                    "RateLimit-Policy",
                    "The same limit: `q` requests in `w` seconds.",
                    example: .string("\"default\";q=\(requests);w=\(seconds)"),
                    isAlwaysThere: false
                ),
                AnswerField(
                    "RateLimit",
                    "What is left of it: `r` requests at once, one more in `t` seconds.",
                    example: .string("\"default\";r=\(requests - 1);t=\(seconds)"),
                    isAlwaysThere: false
                ),
            ],
            errors: [refusal(after: seconds)]
        )
    }
}
