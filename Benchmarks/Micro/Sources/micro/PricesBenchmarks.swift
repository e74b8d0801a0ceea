internal import HTTPWire
internal import Prices

extension Benchmark {
    /// What a request for averages is checked for, after its query was decoded.
    static let prices = [
        Benchmark(name: "prices/check-request", kind: .core { checking(Example.query) }),
        Benchmark(
            name: "prices/refuse-request",
            kind: .core { checking("start_date=2025-02-30&end_date=&symbol=AAPL&colour=blue") }
        ),
    ]

    private static func checking(_ query: String) -> Workload {
        let parameters = sure { try QueryParameters(parsing: query) }
        return { count in
            for _ in 0..<count {
                keep(Result { () throws(FieldFaults) in try AverageRequest(parameters, rangeDaysMax: 3660) })
            }
        }
    }
}
