import Glibc
import Reactor
import Supervision
import TestSupport
import Testing

/// A command of the manual and what it says that it prints.
struct ManualStep: Equatable {
    let command: String
    let output: [String]

    /// The steps of all blocks of a file that show a console, block by block.
    static func blocks(of markdown: String) -> [[ManualStep]] {
        markdown.components(between: "```console\n", and: "\n```").map { block in
            var steps: [ManualStep] = []
            for line in block.split(separator: "\n") {
                if line.hasPrefix("$ ") {
                    steps.append(ManualStep(command: String(line.dropFirst(2)), output: []))
                } else if let last = steps.popLast() {
                    steps.append(ManualStep(command: last.command, output: last.output + [String(line)]))
                }
            }
            return steps
        }
    }
}

extension String {
    fileprivate func components(between start: String, and end: String) -> [String] {
        replacing(start, with: "\0").split(separator: "\0").dropFirst().compactMap { piece in
            piece.firstRange(of: end).map { String(piece[..<$0.lowerBound]) }
        }
    }
}

extension EndToEndTests {
    /// What README.md shows, happens.
    @Suite struct ManualTests {
        private let system: System

        init() throws { system = try #require(RunningSystem.current) }

        private static var uuid: Regex<(Substring, Substring)> { /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/ }
        private static var time: Regex<Substring> { /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/ }

        /// With ids and times, which differ each time, made equal.
        private static func timeless(_ text: String) -> String {
            text.replacing(uuid, with: "ID").replacing(time, with: "TIME")
        }

        /// What a shell prints that has run all the lines.
        @ReactorActor
        private func shell(_ lines: [String]) async throws -> [String] {
            var command = Command("/bin/bash", ["-c", lines.joined(separator: "\n")])
            command.workingDirectory = packageFolder
            return try await ChildProcess.run(command, name: "bash")
        }

        /// A command as it is for this system, which has other ports and another folder.
        @ReactorActor
        private func localized(_ command: String, _ ids: [String: String]) -> String {
            var command =
                command
                .replacing(".tickloop/run/env", with: system.environmentFile)
                .replacing("http://127.0.0.1:8080", with: "http://\(system.endpoint(.gateway))")
            for (told, actual) in ids { command.replace(told, with: actual) }
            // The time that a download takes is told beside it.
            return command.hasPrefix("curl ") ? "curl -sS " + command.dropFirst("curl ".count) : command
        }

        @Test @ReactorActor func `the README's consoles print what they show`() async throws {
            let readme = try #require(Files.text("\(packageFolder)/README.md"))
            // The sample of a new system, which other tests have replaced.
            let sample = try await ParquetSets.sample(of: 240)
            let words = ["import", "conversations", "--relate-by-order", sample]
            let tool = try TickloopProcess(words, environment: system.environment, folder: TestFolder.make())
            #expect(try await tool.waitForEnd(within: .seconds(120)) == .exited(0), "\(tool.lines)")
            let blocks = ManualStep.blocks(of: readme)
            #expect(blocks.joined().count >= 4)
            for block in blocks {
                var preparation: [String] = []
                var ids: [String: String] = [:]
                for step in block {
                    let command = localized(step.command, ids)
                    guard !step.output.isEmpty else {
                        preparation.append(command)
                        continue
                    }
                    // What is asked for later may not be done yet.
                    let shown = Self.timeless(step.output.joined(separator: "\n"))
                    var lines: [String] = []
                    try? await eventually(within: .seconds(10)) {
                        lines = try await shell(preparation + [command])
                        return Self.timeless(lines.joined(separator: "\n")) == shown
                    }
                    #expect(Self.timeless(lines.joined(separator: "\n")) == shown, "\(step.command)")
                    let told = step.output.joined().matches(of: Self.uuid).map { String($0.0) }
                    let actual = lines.joined().matches(of: Self.uuid).map { String($0.0) }
                    ids.merge(zip(told, actual)) { $1 }
                }
            }
        }
    }
}
