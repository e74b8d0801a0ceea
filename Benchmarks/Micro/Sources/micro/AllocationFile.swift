internal import ArgumentParser
internal import JSONWire

/// What counts depend on besides the code: other compilers inline otherwise and make other frames.
struct Toolchain: Equatable, CustomStringConvertible {
    let swift: String
    let architecture: String

    var description: String { "Swift \(swift) on \(architecture)" }

    static let current = Toolchain(swift: swiftVersion, architecture: processor)

    private static var swiftVersion: String {
        #if compiler(>=6.5)
        "6.5 or later"
        #elseif compiler(>=6.4)
        "6.4"
        #elseif compiler(>=6.3)
        "6.3"
        #else
        "6.2"
        #endif
    }

    private static var processor: String {
        #if arch(x86_64)
        "x86_64"
        #elseif arch(arm64)
        "arm64"
        #else
        "another processor"
        #endif
    }
}

/// The expected counts, as they stand in `allocations.json`: one line for each, so that a change reads well in a diff.
struct AllocationFile {
    /// How often one operation allocates.
    struct Count: Equatable {
        let name: String
        let calls: Double
    }

    let toolchain: Toolchain
    let counts: [Count]

    init(toolchain: Toolchain, counts: [Count]) {
        self.toolchain = toolchain
        self.counts = counts
    }

    /// - Throws: A message for the person at the terminal.
    init(reading path: String) throws {
        guard let text = Command.contents(of: path) else { throw ValidationError("cannot read \(path)") }
        guard let file = try? JSONValue(parsing: text, limits: JSONLimits(bytes: 64 * 1024)),
            let swift = file["swift"]?.string, let architecture = file["architecture"]?.string,
            let counts = file["allocations"]?.object?.members
        else { throw ValidationError("\(path) is not a file of counts") }
        toolchain = Toolchain(swift: swift, architecture: architecture)
        self.counts = try counts.map { member in
            guard let calls = member.value.double else { throw ValidationError("\(member.name) has no count") }
            return Count(name: member.name, calls: calls)
        }
    }

    var text: String {
        let lines = counts.map { #"    "\#($0.name)": \#(shortest($0.calls))"# }
        return """
            {
              "swift": "\(toolchain.swift)",
              "architecture": "\(toolchain.architecture)",
              "allocations": {
            \(lines.joined(separator: ",\n"))
              }
            }

            """
    }

    /// A line for each count that is above what is expected, or that only one side knows.
    func excesses(of counted: [Count]) -> [String] {
        let measured = counted.compactMap { count -> String? in
            guard let expected = expected(count.name) else {
                return "\(count.name): \(shortest(count.calls)), and nothing is expected yet"
            }
            guard count.calls > expected else { return nil }
            return "\(count.name): \(shortest(count.calls)), expected \(shortest(expected))"
        }
        let gone = counts.filter { expected in !counted.contains { $0.name == expected.name } }
        return measured + gone.map { "\($0.name): expected, but not measured any more" }
    }

    /// A line for each count that is below what is expected.
    func savings(of counted: [Count]) -> [String] {
        counted.compactMap { count in
            guard let expected = expected(count.name), count.calls < expected else { return nil }
            return "\(count.name): \(shortest(count.calls)), expected \(shortest(expected))"
        }
    }

    private func expected(_ name: String) -> Double? { counts.first { $0.name == name }?.calls }
}

/// A number with two decimals at most and no zeros behind.
func shortest(_ number: Double) -> String {
    let hundredths = Int((number * 100).rounded())
    if hundredths % 100 == 0 { return "\(hundredths / 100)" }
    return "\(Double(hundredths) / 100)"
}

/// A whole number with a comma between thousands.
func grouped(_ number: Double) -> String {
    var digits = Array("\(Int(number.rounded()))")
    var place = digits.count - 3
    while place > 0 {
        digits.insert(",", at: place)
        place -= 3
    }
    return String(digits)
}
