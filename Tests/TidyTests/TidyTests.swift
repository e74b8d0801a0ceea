import Foundation
import Testing

/// The rules of style that a machine can check, over every Swift file of the project.
@Suite struct TidyTests {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A source file and its path from the top of the repository.
    struct Source: CustomTestStringConvertible, Sendable {
        let path: String
        let lines: [Substring]

        var testDescription: String { path }
        var isProduct: Bool { path.hasPrefix("Sources/") }
    }

    static let sources: [Source] = ["Sources", "Tests"].flatMap { (folder: String) -> [Source] in
        let files = FileManager.default.enumerator(at: root.appending(path: folder), includingPropertiesForKeys: nil)
        return (files?.compactMap { $0 as? URL } ?? [])
            .filter { $0.pathExtension == "swift" && !$0.path().contains("/.build") }
            .compactMap { url in
                guard let text = try? String(contentsOf: url, encoding: .utf8) else { return nil }
                let path = url.path().dropFirst(root.path().count)
                return Source(
                    path: String(path.drop { $0 == "/" }),
                    lines: text.split(separator: "\n", omittingEmptySubsequences: false)
                )
            }
    }

    @Test func `there are sources to check`() {
        #expect(Self.sources.count > 50)
    }

    @Test(arguments: sources)
    func `lines, functions and files fit on a screen`(source: Source) {
        #expect(source.lines.count <= 600, "\(source.path) is more than one idea")
        for (index, line) in source.lines.enumerated() where line.count > 120 {
            Issue.record("\(source.path):\(index + 1) is longer than 120 characters")
        }
        for function in functions(of: source) where function.length > 70 {
            Issue.record("\(source.path):\(function.line) is a function of \(function.length) lines")
        }
    }

    /// What blocks the loop, leaves its thread, hides a failure or was left behind, and what to use instead.
    private static let banned: [(text: String, instead: String)] = [
        (" Task {", "Reactor.spawn"), ("Task.detached", "Reactor.spawn"), ("Task.sleep", "Reactor.sleep"),
        ("Task.yield", "Reactor.yield"), ("async let", "Reactor.spawn and a Promise"),
        ("withTaskGroup", "Reactor.spawn and a Promise"), ("DispatchQueue", "the loop"), ("Thread.sleep", "Timer"),
        ("usleep(", "Timer"), ("try!", "a thrown error or a precondition with its reason"),
        ("as!", "a type that says so"), ("PQexec(", "the pipeline"), ("PQconnectdb(", "PQconnectStart"),
        ("PQcancel(", "statement_timeout"), ("getaddrinfo(", "Resolver"), ("TODO", "an issue"), ("FIXME", "an issue"),
    ]

    /// c-ares' asynchronous call has the banned name in its own.
    private static let permitted = ["ares_getaddrinfo("]

    @Test(arguments: sources.filter(\.isProduct))
    func `nothing blocks, leaves the loop or hides a failure`(source: Source) {
        // Looked for in the whole file first: mostly there is none, and then no line need be looked at.
        let suspects = Self.banned.filter { source.lines[0].base.contains($0.text.drop { $0 == " " }) }
        for (index, line) in source.lines.enumerated() where !suspects.isEmpty {
            var code = line.trimmingCharacters(in: .whitespaces)
            guard !code.hasPrefix("//") else { continue }
            code = " " + code
            for text in Self.permitted { code = code.replacingOccurrences(of: text, with: "") }
            for (text, instead) in suspects where code.contains(text) {
                Issue.record("\(source.path):\(index + 1) has \(text), use \(instead)")
            }
        }
    }

    /// Modules whose every file may touch memory by address, because sockets and C libraries want it.
    private static let bridges = [
        "TLS", "Gzip", "Reactor", "Postgres", "Redis", "HTTPServer", "HTTPClient", "Supervision", "Logs",
    ]

    /// Files that may as well: what is asked of them is a few bytes, and asked dozens of times for each request.
    private static let copiers = ["Sources/Basics/EightBytes.swift", "Sources/HTTPWire/Bytes.swift"]

    @Test(arguments: sources.filter { $0.isProduct && !copiers.contains($0.path) })
    func `memory is touched by address only at the borders`(source: Source) {
        let module = source.path.split(separator: "/")[1]
        // Elsewhere only a file that says on its top that it makes system calls.
        let makesSystemCalls = source.lines.contains { $0.hasSuffix("import Glibc") }
        guard !Self.bridges.contains(String(module)), !makesSystemCalls else { return }
        let unsafeLines = source.lines.indices.filter { index in
            let code = source.lines[index].trimmingCharacters(in: .whitespaces)
            return !code.hasPrefix("//") && code.split(whereSeparator: { !$0.isLetter }).contains("unsafe")
        }
        #expect(unsafeLines.isEmpty, "\(source.path): lines \(unsafeLines.map { $0 + 1 })")
    }

    /// The functions of a file with their lengths, by indentation, which `swift format` guarantees.
    private func functions(of source: Source) -> [(line: Int, length: Int)] {
        source.lines.indices.compactMap { start in
            let line = source.lines[start]
            // Cheaper to ask than the pattern, which few lines match.
            guard line.contains("func ") || line.contains("init") else { return nil }
            guard line.firstMatch(of: /^ *(@?[a-z]+(\([a-z]+\))? )*(func |init[(<?]|deinit )/) != nil else {
                return nil
            }
            // Those of one line are short.
            guard !line.hasSuffix("}") else { return nil }
            let indentation = line.prefix { $0 == " " }
            let closing = indentation + "}"
            guard let end = source.lines[start...].firstIndex(where: { $0 == closing }) else { return nil }
            return (start + 1, end - start + 1)
        }
    }
}

extension TidyTests {
    /// What a newcomer reads in one sitting; the rest stands beside what it describes.
    @Test func `the README is short`() throws {
        let readme = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
        #expect(readme.split(separator: "\n", omittingEmptySubsequences: false).count <= 251)
    }
}
