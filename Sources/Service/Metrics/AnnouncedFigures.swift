/// What a process says of its engines every few seconds, for the console; everything else is at `/metrics`. Slices add
/// theirs when they register.
enum AnnouncedFigures {
    /// Series by series.
    static let kept: Set<String> = [
        "process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "process_threads",
        "tickloop_loop_turn_duration_seconds_sum", "tickloop_loop_turn_duration_seconds_count",
        "tickloop_http_connections", "tickloop_http_streams", "tickloop_task_running", "tickloop_database_up",
        "tickloop_upstream_circuit_state", "tickloop_outbox_open", "tickloop_rate_limit_requests_total",
    ]
    /// Added up over their labels.
    static let summed: Set<String> = ["tickloop_http_requests_total"]
}
