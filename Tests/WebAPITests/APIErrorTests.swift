import HTTPServer
import HTTPWire
import Testing

@testable import WebAPI

@Suite struct APIErrorTests {
    @Test func `an error is one object with code and message, and details only where fields are at fault`() {
        #expect(
            String(decoding: APIError(.notFound, "Say \"no\".").body, as: UTF8.self)
                == #"{"code":"NOT_FOUND","message":"Say \"no\"."}"#
        )
        let faults = [APIError.Detail(field: "a", message: "A."), APIError.Detail(field: "b", message: "B.")]
        #expect(
            String(decoding: APIError(.invalidDate, "A.", details: faults).body, as: UTF8.self)
                == #"{"code":"INVALID_DATE","message":"A.","details":[{"field":"a","message":"A."},"#
                + #"{"field":"b","message":"B."}]}"#
        )
    }

    @Test(arguments: ErrorCode.allCases)
    func `every 503 says when to try again`(code: ErrorCode) {
        let response = HTTPResponse(APIError(code, "x"))
        #expect(response.status == code.status)
        #expect(response.fields["Content-Type"] == "application/json")
        #expect((response.fields["Retry-After"] != nil) == (code.status == .serviceUnavailable))
    }

    @Test(arguments: [
        (HTTPParseError.malformedRequestLine, ErrorCode.malformedRequest), (.ambiguousFraming, .malformedRequest),
        (.unsupportedVersion, .httpVersionNotSupported), (.unsupportedExpectation, .expectationFailed),
        (.bodyTooLarge(limitBytes: 1), .payloadTooLarge), (.targetTooLong(limitBytes: 1), .uriTooLong),
        (.headTooLarge(limitBytes: 1), .headersTooLarge), (.tooManyFields(limit: 1), .headersTooLarge),
    ])
    func `bytes that are no request get the code of their fault`(error: HTTPParseError, code: ErrorCode) {
        #expect(APIError(error).code == code)
    }
}
