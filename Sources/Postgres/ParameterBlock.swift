internal import Reactor

/// The parameters of one statement in the form in which libpq wants them: parallel arrays of pointers, lengths,
/// formats.
///
/// One block serves every statement in turn, so sending allocates nothing: libpq copies the values into its output
/// buffer before it returns.
@ReactorActor
@safe final class ParameterBlock {
    /// More than this is given back after use, so that one large statement does not stay in memory.
    private static let retainedBytesMax = 256 * 1024

    private var bytes: [UInt8] = []
    private var offsets: [Int?] = []
    private var pointers: [UnsafePointer<CChar>?] = unsafe []
    private var lengths: [CInt] = []
    private var formats: [CInt] = []

    nonisolated init() {}

    /// Calls `body` with the parameters laid out for libpq; the pointers hold for the duration of the call.
    func withParameters<Value>(
        _ parameters: [PostgresParameter],
        _ body: (
            _ values: UnsafePointer<UnsafePointer<CChar>?>?, _ lengths: UnsafePointer<CInt>?,
            _ formats: UnsafePointer<CInt>?
        ) -> Value
    ) -> Value {
        guard !parameters.isEmpty else { return body(nil, nil, nil) }
        for parameter in parameters { append(parameter) }
        defer { reset() }
        return unsafe bytes.withUnsafeBytes { storage in
            for offset in offsets {
                unsafe pointers.append(
                    offset.flatMap { unsafe storage.baseAddress?.advanced(by: $0).assumingMemoryBound(to: CChar.self) }
                )
            }
            return unsafe pointers.withUnsafeBufferPointer { pointers in
                unsafe lengths.withUnsafeBufferPointer { lengths in
                    unsafe formats.withUnsafeBufferPointer { formats in
                        unsafe body(pointers.baseAddress, lengths.baseAddress, formats.baseAddress)
                    }
                }
            }
        }
    }

    private func append(_ parameter: PostgresParameter) {
        let start = bytes.count
        var isBinary = false
        switch parameter {
        case .null: break
        case .text(let text): bytes.append(contentsOf: text.utf8)
        case .utf8(let text): bytes.append(contentsOf: text)
        case .int64(let number): bytes.append(contentsOf: String(number).utf8)
        case .bytea(let value):
            bytes.append(contentsOf: value)
            isBinary = true
        case .binary(let array):
            array.write(to: &bytes)
            isBinary = true
        }
        offsets.append(parameter == .null ? nil : start)
        lengths.append(CInt(bytes.count - start))
        formats.append(isBinary ? 1 : 0)
        bytes.append(0)  // libpq measures texts with strlen
    }

    private func reset() {
        let isLarge = bytes.capacity > Self.retainedBytesMax
        bytes.removeAll(keepingCapacity: !isLarge)
        offsets.removeAll(keepingCapacity: true)
        unsafe pointers.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        formats.removeAll(keepingCapacity: true)
    }
}
