internal import Glibc

/// The program that reads Parquet, and the pipe on which it writes rows as `COPY` takes them.
///
/// For commands: it waits for the pipe, and nothing that answers requests may do that.
@safe struct ParquetReader: ~Copyable {
    /// Bytes of one piece: as many as a pipe holds on Linux.
    private static let pieceBytes = 64 * 1024

    private var pipe: UnsafeMutablePointer<FILE>?

    /// Starts the program, whose complaints go to our standard error.
    init?(program: String, folder: String) {
        guard let pipe = unsafe popen("exec \(Self.quoted(program)) \(Self.quoted(folder))", "re") else { return nil }
        unsafe self.pipe = pipe
    }

    deinit { if let pipe = unsafe pipe { unsafe pclose(pipe) } }

    /// The next piece; empty at the end.
    func next() -> [UInt8] {
        guard let pipe = unsafe pipe else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, count in
            count = unsafe fread(buffer.baseAddress, 1, buffer.count, pipe)
        }
    }

    /// Waits until the program has ended.
    ///
    /// - Returns: Its exit status; 128 if it was killed.
    mutating func finish() -> Int {
        guard let pipe = unsafe pipe else { return 0 }
        unsafe self.pipe = nil
        let status = unsafe pclose(pipe)
        return status & 0x7F == 0 ? Int(status >> 8) & 0xFF : 128
    }

    /// A word of the shell that means these characters.
    private static func quoted(_ word: String) -> String {
        "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
