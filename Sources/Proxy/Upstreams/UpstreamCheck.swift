internal import HTTPClient
internal import HTTPWire
internal import Reactor

/// Asks an upstream now and then whether it answers.
@ReactorActor
final class UpstreamCheck {
    /// So many in a row without an answer, and it is left out; one answer, and it is back.
    private static let failuresMax = 2

    private let client: HTTPClient
    private let request: HTTPClientRequest
    private let interval: Duration
    private let onChange: (Bool) -> Void
    private var timer: Timer?
    private var failures = 0

    /// Begins at once.
    ///
    /// - Parameter onChange: Told after each check whether the upstream counts as one that answers.
    init(
        _ client: HTTPClient,
        _ url: UpstreamURL,
        _ path: String,
        every interval: Duration,
        onChange: @escaping @ReactorActor (Bool) -> Void
    ) {
        self.client = client
        self.interval = interval
        self.onChange = onChange
        var request = HTTPClientRequest(.get, target: url.basePath + path, authority: url.authority)
        // It is what finds out.
        request.insists = true
        self.request = request
        timer = Timer { [unowned self] in ask() }
        timer?.schedule(after: .zero)
    }

    private func ask() {
        client.send(request, deadline: Reactor.now + interval) { [weak self] result in self?.learned(result) }
    }

    private func learned(_ result: Result<HTTPClientResponse, HTTPClientError>) {
        if case .success(let response) = result, response.status.code < 500 { failures = 0 } else { failures += 1 }
        onChange(failures < Self.failuresMax)
        timer?.schedule(after: interval)
    }
}
