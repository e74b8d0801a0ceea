internal import Gzip
internal import HTTPServer
internal import HTTPWire
internal import Reactor

/// Compresses answers for clients that take gzip.
///
/// Only of answers that are there in one piece, which streams are not, and that nobody has encoded. The answer to HEAD
/// says what the one to GET would.
@ReactorActor
final class AnswerCompressor {
    /// Below, the packets are as many, and what is saved is less than what it costs.
    static let bytesMin = 1024
    /// Above, the loop would stand still for more than some milliseconds.
    static let bytesMax = 512 * 1024

    /// Whoever asks first pays for it: most processes are never asked.
    private lazy var encoder = GzipEncoder()

    /// Whether some clients get an answer compressed and others not.
    func applies(to response: borrowing HTTPResponse) -> Bool {
        guard case .bytes(let bytes) = response.body, (Self.bytesMin...Self.bytesMax).contains(bytes.count) else {
            return false
        }
        return response.status != .partialContent && !response.fields.contains("content-encoding")
            && response.fields.valueBytes("content-type").map { Self.isText($0) } ?? false
    }

    /// Compresses an answer that it applies to, if the client takes that.
    func compress(_ response: inout HTTPResponse, to request: RequestHead) {
        guard case .bytes(let bytes) = response.body, AcceptedCoding.prefersGzip(request.fields) else { return }
        let encoded = encoder.encode(bytes)
        guard encoded.count < bytes.count else { return }
        response.body = .bytes(encoded)
        response.fields.append("Content-Encoding", "gzip")
        // What names bytes does not name these.
        if let tag = response.fields["ETag"], !tag.hasPrefix("W/") { response.fields["ETag"] = "W/\(tag)" }
    }

    private static func isText(_ type: ArraySlice<UInt8>) -> Bool {
        type.starts(with: "application/json".utf8) || type.starts(with: "text/".utf8)
    }
}
