internal import Glibc
internal import Reactor

/// A program in `etc` that knows Parquet, and the pipe on which it writes.
///
/// For commands: it waits for the pipe, and nothing that answers requests may do that.
@ReactorActor
@safe
final class ParquetReader {
    /// Bytes of one piece: as many as a pipe holds on Linux.
    private static let pieceBytes = 64 * 1024

    /// What a program ended with.
    enum Ending: Equatable {
        /// Every row was good.
        case whole
        /// Rows were left out, and it has said which.
        case leftRowsOut
        /// It could not use what it was given, and has said why.
        case failed
        /// There is no such program, or it may not be run.
        case notStarted
    }

    private var pipe: UnsafeMutablePointer<FILE>?
    /// Read and not given away.
    private var rest: ArraySlice<UInt8> = []

    /// Whether it was read past the end of the last section: the program has failed.
    private(set) var isCutOff = false

    /// Starts a program, whose complaints go to our standard error.
    init(_ program: String, _ arguments: [String]) {
        let words = ([program] + arguments).map { Self.quoted($0) }.joined(separator: " ")
        unsafe pipe = popen("exec \(words)", "re")
    }

    isolated deinit { if let pipe = unsafe pipe { unsafe pclose(pipe) } }

    /// A part of what is written.
    enum Piece {
        case bytes([UInt8])
        /// A NUL.
        case sectionEnd
        case end
    }

    /// Reads on.
    func next() -> Piece {
        if rest.isEmpty { rest = read()[...] }
        guard let first = rest.first else {
            isCutOff = true
            return .end
        }
        guard first != 0 else {
            rest.removeFirst()
            return .sectionEnd
        }
        let section = rest.prefix { $0 != 0 }
        rest = rest[section.endIndex...]
        return .bytes(Array(section))
    }

    private func read() -> [UInt8] {
        guard let pipe = unsafe pipe else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, count in
            count = unsafe fread(buffer.baseAddress, 1, buffer.count, pipe)
        }
    }

    /// The rest of a section as text, for one that is small; nil if it is cut off.
    func text() -> String? {
        var bytes: [UInt8] = []
        while true {
            switch next() {
            case .bytes(let piece): bytes += piece
            case .sectionEnd: return String(decoding: bytes, as: UTF8.self)
            case .end: return nil
            }
        }
    }

    /// Stops reading, and waits until the program has ended.
    func finish() -> Ending {
        guard let pipe = unsafe pipe else { return .notStarted }
        unsafe self.pipe = nil
        let status = unsafe pclose(pipe)
        guard status & 0x7F == 0 else { return .failed }
        switch (status >> 8) & 0xFF {
        case 0: return .whole
        case 3: return .leftRowsOut
        // What the shell ends with when it cannot find, or not run, a program.
        case 126, 127: return .notStarted
        default: return .failed
        }
    }

    /// A word of the shell that means these characters.
    nonisolated private static func quoted(_ word: String) -> String {
        "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
