internal import CMeasure
internal import Glibc

/// Measures pure code: everything happens on this thread.
func runCore(_ prepare: () -> Workload, _ measure: (Workload) -> Void) -> Never {
    let workload = prepare()
    allocations_count_this_thread()
    measure(workload)
    exit(0)
}

/// Keeps the optimizer from leaving out work whose result nobody looks at.
@inline(__always)
func keep<Value>(_ value: Value) {
    unsafe withUnsafePointer(to: value) { unsafe measure_keep($0) }
}

/// The value of an expression that cannot fail with the inputs that stand here.
func sure<Value>(_ body: () throws -> Value) -> Value {
    do { return try body() } catch { preconditionFailure("a benchmark's input is wrong: \(error)") }
}
