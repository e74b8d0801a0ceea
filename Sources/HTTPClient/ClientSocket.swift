internal import Reactor

/// Where this module hands memory to the kernel.
@ReactorActor
enum ClientSocket {
    /// Most bytes of one read: a response of the usual size comes with one call, and a large one leaves room for others.
    private static let receiveBytes = 64 * 1024

    /// What was read last. One buffer for all connections, because what is read is parsed before anything else is.
    private(set) static var received = [UInt8](repeating: 0, count: receiveBytes)

    /// Reads into ``received``.
    static func receive(_ descriptor: CInt) -> IOResult {
        unsafe received.withUnsafeMutableBytes { unsafe Sockets.read(descriptor, into: $0) }
    }

    /// Whether there is nothing to read, not even the end.
    static func isQuiet(_ descriptor: CInt) -> Bool {
        var byte: UInt8 = 0
        return unsafe withUnsafeMutableBytes(of: &byte) { unsafe Sockets.read(descriptor, into: $0) } == .wouldBlock
    }

    /// Writes `bytes[start...]`.
    static func write(_ descriptor: CInt, _ bytes: [UInt8], from start: Int) -> IOResult {
        unsafe bytes.withUnsafeBytes {
            unsafe Sockets.write(descriptor, UnsafeRawBufferPointer(rebasing: $0[start...]))
        }
    }
}
