internal import CMeasure
internal import Glibc

/// Waits until the loop has nothing left to do. An answer is sent before its request is cleaned up.
///
/// The loop sleeps in `epoll_wait` and nowhere else, so sleeping means that it waits for us.
func waitUntilIdle() {
    while !allocations_thread_waits() { sched_yield() }
}

/// Runs `body` beside the loop, which has this thread.
func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Start {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let start = unsafe Unmanaged.passRetained(Start(body)).toOpaque()
    let failure = unsafe pthread_create(
        &thread,
        nil,
        { start in
            guard let start = unsafe start else { return nil }
            unsafe Unmanaged<Start>.fromOpaque(start).takeRetainedValue().body()
            return nil
        },
        start
    )
    precondition(failure == 0, "pthread_create failed: \(failure)")
}

/// A folder of our own under `/tmp`.
func makeFolder() -> String {
    var template = Array("/tmp/micro-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { preconditionFailure("no folder in /tmp: \(errno)") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
