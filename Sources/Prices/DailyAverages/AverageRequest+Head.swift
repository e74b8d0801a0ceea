public import HTTPWire
public import WebAPI

extension AverageRequest {
    /// Reads the request from the head of an HTTP request.
    ///
    /// - Throws: 400 with the code of the first fault and all faults in the details.
    public init(of head: RequestHead, rangeDaysMax: Int) throws(APIError) {
        if let query = head.queryBytes, let plain = Self(plain: query.span, rangeDaysMax: rangeDaysMax) {
            self = plain
            return
        }
        let parameters: QueryParameters
        do {
            parameters = try head.queryParameters()
        } catch {
            throw APIError(FieldFaults(error))
        }
        do {
            try self.init(parameters, rangeDaysMax: rangeDaysMax)
        } catch {
            throw APIError(error)
        }
    }
}

extension APIError {
    /// The answer to a request with faults in its parameters.
    init(_ faults: FieldFaults) {
        let code: ErrorCode =
            switch faults.code {
            case .missingParameter: .missingParameter
            case .invalidDate: .invalidDate
            case .invalidDateRange: .invalidDateRange
            case .invalidParameter: .invalidParameter
            case .unknownParameter: .unknownParameter
            }
        self.init(
            code,
            faults.message,
            details: faults.all.map { Detail(field: $0.field, message: $0.message) }
        )
    }
}
