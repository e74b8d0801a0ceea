internal import CMeasure

/// The stacks of all allocations of some operations, the same ones together.
struct AllocationTrace {
    private struct Stack: Hashable {
        let bytes: Int
        let callers: [UInt]
    }

    private static let operations = 100
    private static let capacity = 100_000

    /// In the order in which they first came.
    private let stacks: [(stack: Stack, count: Int)]

    init(of workload: Workload) {
        workload(300)
        let records = UnsafeMutablePointer<allocation_stack>.allocate(capacity: Self.capacity)
        unsafe allocations_trace(records, Self.capacity)
        workload(Self.operations)
        let count = allocations_trace_end()
        var counts: [Stack: Int] = [:]
        var inOrder: [Stack] = []
        for index in 0..<count {
            let record = unsafe records[index]
            let callers = unsafe withUnsafeBytes(of: record.callers) { unsafe Array($0.bindMemory(to: UInt.self)) }
            let stack = Stack(bytes: record.bytes, callers: Array(callers.prefix(record.depth)))
            if counts[stack] == nil { inOrder.append(stack) }
            counts[stack, default: 0] += 1
        }
        unsafe records.deallocate()
        stacks = inOrder.map { (stack: $0, count: counts[$0, default: 0]) }
    }

    /// Prints them.
    ///
    /// - Parameter rare: Only those that are not in every operation, instead of those that are in most.
    func print(frames limit: Int, rare: Bool) {
        let symbols = Symbols(of: Set(stacks.flatMap(\.stack.callers)))
        let total = stacks.reduce(0) { $0 + $1.count }
        Swift.print("\(shortest(Double(total) / Double(Self.operations))) allocations in each operation")
        for (stack, count) in stacks {
            guard rare ? count % Self.operations != 0 : count * 2 >= Self.operations else { continue }
            Swift.print("\n\(shortest(Double(count) / Double(Self.operations))) × \(stack.bytes) bytes")
            for frame in symbols.frames(of: stack.callers).prefix(limit) { Swift.print("    \(frame)") }
        }
    }
}

/// Names for return addresses: those of the program from its debug information.
private struct Symbols {
    private var names: [UInt: [String]] = [:]

    init(of addresses: Set<UInt>) {
        let base = allocations_program_base()
        var own: [UInt] = []
        for address in addresses.sorted() {
            if let name = unsafe allocations_library_function(address) {
                names[address] = [unsafe String(cString: name)]
            } else {
                own.append(address)
            }
        }
        // One less: a return address is behind its call, and may be in the next line or function.
        let offsets = own.map { "0x" + String($0 - base - 1, radix: 16) }.joined(separator: "\n")
        let symbolizer = ["llvm-symbolizer", "--inlines", "--functions=linkage", "--obj=\(Command.itself()[0])"]
        let mangled = Command.output(symbolizer, input: offsets) ?? ""
        let text = Command.output(["swift-demangle", "--simplified"], input: mangled) ?? mangled
        for (address, block) in zip(own, text.split(separator: "\n\n")) {
            // A line with the function and one with the place, for each function that was inlined.
            let lines = block.split(separator: "\n").map(String.init)
            names[address] = stride(from: 0, to: lines.count - 1, by: 2).map { index in
                Self.frame(lines[index], at: lines[index + 1])
            }
        }
    }

    /// Who wanted the memory: what is known by its place in a source, and before that the innermost function that is
    /// not about allocating.
    func frames(of callers: [UInt]) -> [String] {
        let all = callers.flatMap { names[$0] ?? ["0x" + String($0, radix: 16)] }.drop(while: Self.isAllocator)
        return all.prefix(1) + all.dropFirst().filter { $0.contains(".swift:") || !$0.contains(" ") }
    }

    private static func frame(_ function: String, at place: String) -> String {
        // Line 0 is the compiler's own code.
        guard !place.hasSuffix(":0:0"), !place.hasPrefix("?") else { return function + " (no line)" }
        return function + "  " + place.split(separator: "/").suffix(2).joined(separator: "/")
    }

    private static func isAllocator(_ frame: String) -> Bool {
        let prefixes = [
            "keep_stack", "count", "malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "swift_slowAlloc",
            "swift_allocObject", "_swift_allocObject_", "swift::", "backtrace", "??",
        ]
        return prefixes.contains { frame.hasPrefix($0) }
    }
}
