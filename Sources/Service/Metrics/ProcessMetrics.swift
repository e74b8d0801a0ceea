internal import CLinux
internal import Glibc
internal import Metrics
internal import Reactor

/// What every process has: its build, its loop, and what it uses of the machine.
@ReactorActor
final class ProcessMetrics: Measured {
    private let service: String
    private let startedAt = Reactor.unixTime

    init(service: String) { self.service = service }

    func collect(into page: inout MetricsPage) {
        page.add(
            .gauge(
                "tickloop_build_info",
                "Always 1; what runs is in the labels.",
                labels: "service",
                "version",
                "swift"
            ),
            1,
            [service, Product.version, ProcessUsage.compiler]
        )
        page.add(Reactor.turns)
        // These names, and what they mean, are the same for every program.
        page.gauge(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            startedAt
        )
        page.add(
            .counter("process_cpu_seconds_total", "User and system CPU time spent in seconds.").announced(),
            ProcessUsage.cpuTime
        )
        page.gauge(
            "process_max_fds",
            "Maximum number of open file descriptors.",
            ProcessUsage.descriptorLimit
        )
        if let count = ProcessUsage.descriptorCount {
            page.add(.gauge("process_open_fds", "Number of open file descriptors.").announced(), count)
        }
        if let pages = ProcessUsage.memoryPages {
            page.gauge(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
                pages.virtual * ProcessUsage.pageBytes
            )
            page.add(
                .gauge("process_resident_memory_bytes", "Resident memory size in bytes.").announced(),
                pages.resident * ProcessUsage.pageBytes
            )
        }
        if let count = ProcessUsage.threadCount {
            page.add(
                .gauge("process_threads", "Number of OS threads; one is all that we need.").announced(),
                count
            )
        }
    }
}

/// What the kernel says of this process. `/proc` is memory of the kernel: reading it takes microseconds and never waits
/// for a disk.
enum ProcessUsage {
    /// The version of the language that this was compiled by.
    static let compiler: String = {
        #if compiler(>=6.4)
        "6.4+"
        #elseif compiler(>=6.3)
        "6.3"
        #else
        "6.2"
        #endif
    }()

    static let pageBytes = sysconf(CInt(_SC_PAGESIZE))

    /// Of user and system together.
    static var cpuTime: Duration {
        var time = timespec()
        unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    static var descriptorLimit: Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        return Int(clamping: limit.rlim_cur)
    }

    /// Since Linux 6.2 the folder's size is the number of its entries; before, they have to be counted.
    static var descriptorCount: Int? {
        let size = unsafe clinux_size("/proc/self/fd")
        if size > 0 { return size }
        return entryCount(ofFolder: "/proc/self/fd").map { $0 - 1 }
    }

    static var threadCount: Int? { entryCount(ofFolder: "/proc/self/task") }

    /// In pages: the first two numbers of proc(5)'s `statm`.
    static var memoryPages: (virtual: Int, resident: Int)? {
        guard let file = unsafe fopen("/proc/self/statm", "re") else { return nil }
        defer { unsafe fclose(file) }
        var bytes = [CChar](repeating: 0, count: 128)
        guard unsafe fgets(&bytes, CInt(bytes.count), file) != nil else { return nil }
        let text = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let numbers = text.split(separator: " ").prefix(2).compactMap { Int($0) }
        return numbers.count == 2 ? (numbers[0], numbers[1]) : nil
    }

    private static func entryCount(ofFolder path: String) -> Int? {
        guard let folder = unsafe opendir(path) else { return nil }
        defer { unsafe closedir(folder) }
        var count = -2  // "." and ".."
        while unsafe readdir(folder) != nil { count += 1 }
        return count
    }
}
