import Glibc
import Testing

@testable import Reactor

@Suite struct ResolverTests {
    init() { Reactor.runInBackground() }

    private let name = Endpoint.tcp(host: "prices.test", port: 80)

    @Test @ReactorActor func `a question that got lost is asked again in time`() async throws {
        let server = try NameServer(ignoring: 1)
        // An attempt to connect may take this long by default, name resolution included.
        let addresses = try await Resolver.resolve(name, within: .seconds(2), nameServer: server.address)
        #expect(addresses == [.ipv4([192, 0, 2, 7], port: 80)])
        #expect(server.questionCount > 2)
    }

    @Test @ReactorActor func `a name server that never answers costs no more than the time given`() async throws {
        let server = try NameServer(ignoring: .max)
        await #expect(throws: ResolutionError.timedOut) {
            _ = try await Resolver.resolve(name, within: .milliseconds(50), nameServer: server.address)
        }
    }
}

/// A name server that knows one IPv4 address, which is everybody's, and that loses questions.
@ReactorActor
private final class NameServer {
    /// Questions received, repeated ones too.
    private(set) var questionCount = 0
    /// Where it is asked.
    let address: String

    private let descriptor: FileDescriptor
    private let lossCount: Int
    /// How often each question came.
    private var counts: [[UInt8]: Int] = [:]
    private var watcher: IOWatcher?

    /// - Parameter lossCount: How often each question gets no answer.
    init(ignoring lossCount: Int) throws {
        self.lossCount = lossCount
        descriptor = FileDescriptor(owning: socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0))
        let number = descriptor.number
        let anyPort = SocketAddress.ipv4([127, 0, 0, 1], port: 0)
        let status = unsafe anyPort.withSockaddr { unsafe bind(number, $0, $1) }
        try #require(status == 0)
        address = try Sockets.localAddress(number).description
        watcher = IOWatcher(descriptor: number, for: .read) { [unowned self] _ in answer() }
    }

    /// Takes one question and answers it, or not.
    private func answer() {
        var message = [UInt8](repeating: 0, count: 512)
        var client = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let count = unsafe withUnsafeMutableBytes(of: &client) { client in
            let client = unsafe client.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return unsafe recvfrom(descriptor.number, &message, message.count, 0, client, &length)
        }
        guard count > 12 else { return }
        questionCount += 1
        // RFC 1035, 4.1: a header of 12 bytes, then the name, which ends with an empty label, its type and its class.
        let end = (message[12..<count].firstIndex(of: 0) ?? 12) + 5
        let question = Array(message[12..<end])
        counts[question, default: 0] += 1
        guard let asked = counts[question], asked > lossCount else { return }
        let isIPv4 = question[question.count - 3] == 1
        var reply = Array(message[..<2]) + [0x81, 0x80, 0, 1, 0, isIPv4 ? 1 : 0, 0, 0, 0, 0] + question
        // The name of the question, type A, class IN, 60 s, four bytes.
        if isIPv4 { reply += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7] }
        _ = unsafe withUnsafeBytes(of: &client) { client in
            let client = unsafe client.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return unsafe sendto(descriptor.number, reply, reply.count, 0, client, length)
        }
    }
}
