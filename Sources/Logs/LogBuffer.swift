/// Lines on their way to a descriptor that may not take them at once.
///
/// Bounded: lines that find no room are dropped and counted. To lose log lines is better than to wait for whoever
/// reads them, or to run out of memory.
package struct LogBuffer {
    /// Most bytes that wait.
    private let limitBytes: Int
    /// Lines that were cut off at the front are not moved up before this many bytes are free there.
    private static let compactionBytes = 64 * 1024

    private var bytes: [UInt8] = []
    /// Bytes at the front that have been written.
    private var written = 0
    /// Lines dropped since the last report.
    private(set) var droppedLines = 0

    package init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// What is still to be written.
    package var unwritten: ArraySlice<UInt8> { bytes[written...] }

    package var isEmpty: Bool { written == bytes.count }

    /// Adds a line, or counts it as dropped.
    package mutating func append(_ line: [UInt8]) {
        guard bytes.count - written + line.count <= limitBytes else {
            droppedLines += 1
            return
        }
        if written >= Self.compactionBytes {
            bytes.removeFirst(written)
            written = 0
        }
        bytes.append(contentsOf: line)
    }

    /// Notes that the first bytes of ``unwritten`` are gone.
    package mutating func wrote(_ count: Int) {
        written += count
        assert(written <= bytes.count)
        guard isEmpty else { return }
        // Memory that one burst needed is not kept for ever.
        bytes.removeAll(keepingCapacity: bytes.capacity <= Self.compactionBytes)
        written = 0
    }

    /// Forgets what waits, because nothing can be written any more.
    package mutating func discard() { wrote(bytes.count - written) }

    /// Takes the count of dropped lines, to be reported once.
    package mutating func takeDroppedLines() -> Int {
        defer { droppedLines = 0 }
        return droppedLines
    }
}
