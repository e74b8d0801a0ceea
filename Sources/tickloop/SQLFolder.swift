import ArgumentParser
import Glibc

/// Reads scripts of the SQL folder; at the start of a command, where blocking is harmless.
enum SQLFolder {
    /// The content of a file.
    static func read(_ path: String) throws -> String {
        guard let file = unsafe fopen(path, "r") else {
            throw ValidationError("\(path) cannot be read; say with --sql where the folder sql is.")
        }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = unsafe fread(&buffer, 1, buffer.count, file)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
