import Foundation
import TestSupport
import Testing

/// The one shape of errors, read by another parser than the program's.
struct ErrorBody: Equatable {
    let code: String
    let message: String
    /// The names in `details`; empty where there is none.
    let fields: [String]

    /// - Returns: `nil` when anything about the response is not as the contract wants it.
    init?(_ response: TestResponse) {
        let object = try? JSONSerialization.jsonObject(with: Data(response.body.utf8))
        guard response["content-type"] == "application/json", response["x-request-id"]?.isEmpty == false,
            response.status != 503 || response["retry-after"] != nil,
            let members = object as? [String: Any], Set(members.keys).isSubset(of: ["code", "message", "details"]),
            let code = members["code"] as? String, let message = members["message"] as? String, !message.isEmpty
        else { return nil }
        self.code = code
        self.message = message
        guard let details = members["details"] else {
            fields = []
            return
        }
        guard let list = details as? [[String: String]], !list.isEmpty,
            list.allSatisfy({ Set($0.keys) == ["field", "message"] })
        else { return nil }
        fields = list.compactMap { $0["field"] }
    }
}

/// Expects an error of this status and code, in the one shape.
func expectError(
    _ response: TestResponse,
    _ status: Int,
    _ code: String,
    fields: [String] = [],
    at location: SourceLocation = #_sourceLocation
) {
    #expect(response.status == status, "\(response.body)", sourceLocation: location)
    let error = ErrorBody(response)
    #expect(error?.code == code, "\(response.fields) \(response.body)", sourceLocation: location)
    #expect(error?.fields == fields, "\(response.body)", sourceLocation: location)
}
