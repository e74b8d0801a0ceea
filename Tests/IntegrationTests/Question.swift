/// A request whose exact answer is known.
struct Question: Sendable {
    let target: String
    let body: String

    /// The means of the sample data's first days.
    private static let means = [
        ("2025-01-01", "101.05"), ("2025-01-02", "102.45"), ("2025-01-03", "99.433333"), ("2025-01-04", "104.7"),
        ("2025-01-05", "97.4"), ("2025-01-06", "100.38"), ("2025-01-07", "102.75"),
    ]

    /// Every range of those days: so many, that requests that are under way together are not all the same one.
    static let all = means.indices.flatMap { first in
        means.indices[first...].map { last in
            Question(
                target: "/prices/average?start_date=\(means[first].0)&end_date=\(means[last].0)",
                body: answer(Array(means[first...last]))
            )
        }
    }

    /// The body of an answer with these days and means.
    static func answer(_ days: [(day: String, mean: String)]) -> String {
        let items = days.map { #"{"date":"\#($0.day)","average_price":\#($0.mean)}"# }
        return #"{"data":[\#(items.joined(separator: ","))]}"#
    }
}
