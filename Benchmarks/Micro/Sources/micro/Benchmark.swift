/// Does something so many times, and returns when all that it caused is done.
typealias Workload = (Int) -> Void

/// One thing that is measured, always in a process of its own: so none is measured on a heap that another one left.
struct Benchmark: Sendable {
    /// How the work is reached.
    enum Kind: Sendable {
        /// Pure code, on the calling thread; called once to prepare the workload.
        case core(@Sendable () -> Workload)
        /// Requests to a gateway in this process.
        case gateway(Traffic)
        /// Tasks through a real Redis, from a client to a worker and back, both in this process.
        case queue
    }

    /// `module/what`, as it stands in the table and in the file of expected counts.
    let name: String
    let kind: Kind

    /// Whether it allocates equally often each time, so that the gate can hold it. A task's way through Redis does not:
    /// timers fire meanwhile, and replies come in one turn or in two.
    var isExact: Bool {
        if case .queue = kind { false } else { true }
    }

    static let all: [Benchmark] = wire + prices + queue + services

    /// Prepares the workload on a thread of its choice, marks the thread that does the work as the counted one, calls
    /// `measure`, and ends the process.
    func run(_ measure: @escaping @Sendable (Workload) -> Void) -> Never {
        switch kind {
        case .core(let prepare): runCore(prepare, measure)
        case .gateway(let traffic): runGateway(traffic, measure)
        case .queue: runQueue(measure)
        }
    }
}
