internal import Reactor

/// Where this module hands memory to the kernel.
///
/// Not isolated, on purpose: a closure in an isolated function asks the runtime at each call whether it is on the right
/// executor, which takes longer than what these closures do.
enum ClientSocket {
    /// Most bytes of one read: a usual response comes with one call, and a large one leaves room for others.
    static let receiveBytes = 64 * 1024

    /// Reads into the start of `buffer`.
    static func receive(_ descriptor: CInt, into buffer: inout [UInt8]) -> IOResult {
        unsafe buffer.withUnsafeMutableBytes { unsafe Sockets.read(descriptor, into: $0) }
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
