internal import CZlib

/// Makes gzip (RFC 1952) of bytes that are all there. Pure; it keeps its 256 KiB of tables from one use to the next.
@safe public final class GzipEncoder {
    /// Fast rather than small: the loop waits.
    private static let level: CInt = 1

    private let stream: UnsafeMutablePointer<z_stream>

    /// Makes an encoder.
    public init() {
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe czlib_gzip_init(stream, Self.level) == Z_OK else { preconditionFailure("zlib has no memory") }
    }

    deinit {
        unsafe deflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// The bytes, compressed.
    public func encode(_ bytes: [UInt8]) -> [UInt8] {
        unsafe deflateReset(stream)
        let bound = unsafe Int(deflateBound(stream, UInt(bytes.count)))
        return unsafe [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            unsafe bytes.withUnsafeBufferPointer { input in
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                unsafe stream.pointee.avail_in = UInt32(input.count)
                unsafe stream.pointee.next_out = output.baseAddress
                unsafe stream.pointee.avail_out = UInt32(output.count)
                let result = unsafe deflate(stream, Z_FINISH)
                precondition(result == Z_STREAM_END, "the bound is one")
                count = unsafe output.count - Int(stream.pointee.avail_out)
            }
        }
    }
}

/// Reads gzip, for tests and tools.
public enum Gunzip {
    /// The bytes that were compressed; nil for what is no gzip, is cut, has something behind it, or is of more bytes.
    public static func decode(_ bytes: [UInt8], atMost limitBytes: Int) -> [UInt8]? {
        var stream = unsafe z_stream()
        guard unsafe czlib_gunzip_init(&stream) == Z_OK else { return nil }
        defer { unsafe inflateEnd(&stream) }
        var isWhole = false
        let decoded = unsafe [UInt8](unsafeUninitializedCapacity: limitBytes) { output, count in
            unsafe bytes.withUnsafeBufferPointer { input in
                unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                unsafe stream.avail_in = UInt32(input.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(output.count)
                isWhole = unsafe inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0
                count = unsafe output.count - Int(stream.avail_out)
            }
        }
        return isWhole ? decoded : nil
    }
}
