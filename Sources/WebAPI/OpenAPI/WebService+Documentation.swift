internal import HTTPServer
public import HTTPWire
internal import JSONWire

// What is true of every route, whatever it declares.

extension WebService {
    /// The errors that the server itself answers with, before or instead of a route's handler.
    ///
    /// - Parameter limits: Those of the server, which the words name.
    nonisolated public static func errorsOfAnyRequest(limits: HTTPLimits) -> [APIError] {
        let refusals: [HTTPRefusal] = [
            .malformed(.malformedRequestLine), .malformed(.invalidHost), .malformed(.ambiguousFraming), .headTimedOut,
            .malformed(.bodyTooLarge(limitBytes: limits.bodyBytes)),
            .malformed(.targetTooLong(limitBytes: limits.targetBytes)),
            .malformed(.headTooLarge(limitBytes: limits.headBytes)), .malformed(.unsupportedExpectation), .unanswered,
            .overloaded, .malformed(.unsupportedVersion),
        ]
        return refusals.map { APIError($0) }
    }

    /// The error of a method that a path does not answer to.
    nonisolated static func methodNotAllowed(_ method: HTTPMethod) -> APIError {
        APIError(.methodNotAllowed, "This path does not answer to \(method).")
    }

    /// The errors of a request that meets no route, each with the words of an example.
    nonisolated public static let errorsWithoutRoute = [APIError.notFound, methodNotAllowed(.delete)]

    /// The header fields that any request may carry.
    ///
    /// - Parameter takesDeadlineFromCaller: As in ``init(routes:requestTimeout:takesDeadlineFromCaller:tracer:)``.
    nonisolated public static func parametersOfAnyRequest(takesDeadlineFromCaller: Bool) -> [RouteParameter] {
        let identity: [RouteParameter] = [
            .header(
                requestIDField.text,
                "Names the request on every hop and in every log line: 1 to 128 visible ASCII characters. Anything "
                    + "else, or nothing, is replaced by an id that is made here."
            ),
            .header(traceField.text, "W3C Trace Context, which is continued; one that is malformed is ignored."),
        ]
        guard takesDeadlineFromCaller else { return identity }
        let timeout = RouteParameter.header(
            timeoutField.text,
            "Milliseconds after which the caller waits no more; then 504. It can only shorten the service's own limit; "
                + "anything but a whole number is ignored."
        )
        return identity + [timeout]
    }

    /// The fields that any answer carries.
    nonisolated public static let fieldsOfAnyAnswer = [
        AnswerField(
            requestIDField.text,
            "The id of the request: the client's own, or the one that was made.",
            .string(pattern: "^[!-~]{1,128}$"),
            example: "8d5f0c2a4be14b6f9f3a6a1c0e7d2b94"
        )
    ]
}
