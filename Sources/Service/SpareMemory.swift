internal import CLinux
internal import Reactor

/// Gives freed memory back to the kernel.
///
/// The allocator keeps what it once had, because between two long-lived pieces it cannot shrink by itself. After a rush
/// that needed much, the next one would start from there.
@ReactorActor
enum SpareMemory {
    private static let interval = Duration.seconds(5)

    /// So much more may be resident without use than right after the last release: less is not worth the walk through
    /// the heap, and is soon needed again.
    private static let toleratedBytes = 16 * 1024 * 1024

    /// Larger pieces are the kernel's from their birth to their end; a read and what is made of it is smaller.
    private static let mappedBytes = 4 * 1024 * 1024

    static func keepReleasing() {
        // By itself the allocator gives back at once what is freed at the end of the heap, and so an answer of 64 KiB
        // gets its memory page by page each time: two thirds of the time of one from a cache.
        mallopt(M_TRIM_THRESHOLD, CInt(toleratedBytes))
        mallopt(M_MMAP_THRESHOLD, CInt(mappedBytes))
        Reactor.spawn {
            // What the start needed; nothing else ever comes near it.
            malloc_trim(0)
            var unavoidable = spareBytes
            while true {
                try? await Reactor.sleep(for: interval)
                guard spareBytes > unavoidable + toleratedBytes else { continue }
                malloc_trim(0)
                unavoidable = spareBytes
            }
        }
    }

    /// What is resident and was not allocated by the program, or was freed: code, tables, and what can be given back.
    private static var spareBytes: Int {
        guard let pages = ProcessUsage.memoryPages else { return 0 }
        return pages.resident * ProcessUsage.pageBytes - clinux_heap_in_use()
    }
}
