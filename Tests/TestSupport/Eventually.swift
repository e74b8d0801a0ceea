import Reactor

/// Something that a test waited for did not come.
public struct TestFailure: Error, CustomStringConvertible {
    /// What was waited for, and from where.
    public let description: String

    /// Makes one with what a person needs to see.
    public init(description: String) { self.description = description }
}

/// Waits until a condition holds, asking again every few milliseconds.
///
/// - Parameters:
///   - what: Named in the failure.
///   - limit: How long to wait. Long, because it only matters when the test fails.
/// - Throws: ``TestFailure`` when the condition did not hold in time, or what the condition throws.
@ReactorActor
public func eventually(
    _ what: String = "the condition",
    within limit: Duration = .seconds(20),
    file: String = #fileID,
    line: Int = #line,
    _ condition: @ReactorActor () async throws -> Bool
) async throws {
    let deadline = Instant.now + limit
    while try await !condition() {
        guard Instant.now < deadline else {
            throw TestFailure(description: "\(what) did not come within \(limit) (\(file):\(line))")
        }
        try await Reactor.sleep(for: .milliseconds(5))
    }
}
