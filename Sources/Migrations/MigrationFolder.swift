internal import Basics
internal import Glibc

/// The migrations of a folder, in order.
///
/// Files are named `NNNN_name.sql` and numbered from 1 without gaps; whatever does not end in `.sql` is left alone.
public struct MigrationFolder: Equatable, Sendable {
    /// In order; number 1 first.
    public let migrations: [Migration]

    /// No script is that long; a file that is was put there by mistake.
    private static let scriptBytesMax = 16 * 1024 * 1024

    /// Puts migrations in order.
    ///
    /// - Throws: ``MigrationError/duplicate(version:)`` or ``MigrationError/gap(version:)``.
    public init(_ migrations: [Migration]) throws(MigrationError) {
        self.migrations = migrations.sorted { $0.version < $1.version }
        for (expected, migration) in zip(1..., self.migrations) where migration.version != expected {
            throw migration.version < expected ? .duplicate(version: migration.version) : .gap(version: expected)
        }
    }

    /// Reads the folder at `path`. Blocks, and so is for a tool's start only.
    public init(path: String) throws(MigrationError) {
        var migrations: [Migration] = []
        for file in try Self.entries(of: path) where file.hasSuffix(".sql") {
            guard let (version, name) = Migration.parse(fileName: file) else { throw .misnamed(file: file) }
            migrations.append(Migration(version: version, name: name, sql: try Self.read("\(path)/\(file)")))
        }
        try self.init(migrations)
    }

    private static func entries(of path: String) throws(MigrationError) -> [String] {
        guard let folder = unsafe opendir(path) else { throw .unreadable(path: path, errno) }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names
    }

    private static func read(_ path: String) throws(MigrationError) -> [UInt8] {
        let contents: [UInt8]
        do { contents = try FileContents.bytes(path, atMost: scriptBytesMax) } catch {
            throw .unreadable(path: path, reason: error.description)
        }
        // The database would take a NUL for the end of the script.
        guard String(validating: contents, as: UTF8.self) != nil, !contents.contains(0) else {
            throw .unreadable(path: path, reason: "it is not UTF-8 text")
        }
        return contents
    }
}

extension MigrationError {
    fileprivate static func unreadable(path: String, _ error: CInt) -> MigrationError {
        .unreadable(path: path, reason: unsafe String(cString: strerror(error)))
    }
}
