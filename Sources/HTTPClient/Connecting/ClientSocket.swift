internal import Reactor

/// Where this module hands memory to the kernel.
///
/// Not isolated, on purpose: a closure in an isolated function asks the runtime at each call whether it is on the right
/// executor, which takes longer than what these closures do.
enum ClientSocket {
    /// Most bytes of one read: a usual response comes with one call, and a large one leaves room for others.
    static let receiveBytes = ByteStream.readBytes

    /// Reads into the start of `buffer`.
    static func receive(_ stream: borrowing ByteStream, into buffer: inout [UInt8]) -> IOResult {
        unsafe buffer.withUnsafeMutableBytes { unsafe stream.read(into: $0) }
    }

    /// Writes `bytes[start...]`.
    static func write(_ stream: borrowing ByteStream, _ bytes: [UInt8], from start: Int) -> IOResult {
        unsafe bytes.withUnsafeBytes {
            unsafe stream.write(UnsafeRawBufferPointer(rebasing: $0[start...]))
        }
    }
}
