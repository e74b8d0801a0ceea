internal import Prices
internal import WebAPI

extension Benchmark {
    /// What a request for averages is checked for.
    static let prices = [
        Benchmark(name: "prices/check-request", kind: .core { checking(Example.query) }),
        Benchmark(
            name: "prices/check-escaped-request",
            kind: .core { checking("start_date=2025-01-06&end_date=2025-01-2%30") }
        ),
        Benchmark(
            name: "prices/refuse-request",
            kind: .core { checking("start_date=2025-02-30&end_date=&symbol=AAPL&colour=blue") }
        ),
    ]

    private static func checking(_ query: String) -> Workload {
        let request = RequestContent(target: "/prices/average?\(query)")!
        return { count in
            for _ in 0..<count {
                keep(Result { () throws(APIError) in try AverageRequest(request, rangeDaysMax: 3660) })
            }
        }
    }
}
