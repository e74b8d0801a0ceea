import Glibc
import Reactor

extension PrivatePostgres {
    /// What `postgres` is started with. All of it stands here, so that the cluster's own files stay as `initdb` made
    /// them.
    static func arguments(cluster: String, address: PostgresAddress, settings: Settings) -> [String] {
        var options = [
            "listen_addresses": address.host,
            "port": "\(address.port)",
            "unix_socket_directories": address.socketFolder ?? "",
            "max_connections": "\(settings.maxConnections)",
            // A machine with little memory and one database of some hundred megabytes.
            "shared_buffers": "128MB",
            "max_wal_size": "1GB",
            "random_page_cost": "1.1",
            // After a kill, everything is synced before the log is read again: with one call, not file by file.
            // PostgreSQL 14 or later.
            "recovery_init_sync_method": "syncfs",
            // Compiling takes longer than any query that is asked here.
            "jit": "off",
            // Nobody replicates from it.
            "wal_level": "minimal",
            "max_wal_senders": "0",
            "max_logical_replication_workers": "0",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "",
            "log_checkpoints": "off",
        ]
        if !settings.isDurable {
            // Survives `kill -9` all the same: what was written is in the kernel's cache.
            options.merge(["fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"]) { $1 }
        }
        return ["-D", cluster] + options.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0.key)=\($0.value)"] }
    }

    /// Lets a connection keep 4 MiB that its last statement freed, unless told otherwise; mallopt(3).
    ///
    /// As glibc comes, it gives memory above 128 KiB back to the kernel at the end of each statement, and the next one
    /// gets it again page by page: more than half of the time of an answer of 40 KiB.
    static func environment(_ inherited: [String: String]) -> [String: String] {
        let allocator = ["MALLOC_TRIM_THRESHOLD_": "4194304", "MALLOC_MMAP_THRESHOLD_": "4194304"]
        return allocator.merging(inherited) { $1 }
    }

    /// UTF-8 with the C locale: sorts by bytes, the same on every machine and through every upgrade of the C library.
    static func initdbArguments(cluster: String, passwordFile: String, _ settings: Settings) -> [String] {
        [
            "--pgdata", cluster, "--username", superuser, "--pwfile", passwordFile,
            "--auth-local", "trust", "--auth-host", "scram-sha-256",
            "--encoding", "UTF8", "--locale", "C", "--no-instructions",
        ] + (settings.isDurable ? [] : ["--no-sync"])
    }

    /// For single-user mode, which takes one statement a line.
    static func script(_ settings: Settings) -> String {
        """
        CREATE ROLE \(settings.user) LOGIN PASSWORD '\(settings.password)'
        CREATE DATABASE \(settings.database) OWNER \(settings.user)

        """
    }

    /// Removes the pid files of a killed server if it could keep the next one from starting.
    ///
    /// PostgreSQL itself sees that the process is gone, but not that its pid has been given to another program since,
    /// as happens soon after a reboot and in containers; it then refuses to start for ever.
    static func removeStalePidFile(in cluster: String, sockets: String) {
        let file = "\(cluster)/postmaster.pid"
        guard let text = Files.text(file), let line = text.split(separator: "\n").first else { return }
        // A running server works in its cluster.
        if let pid = CInt(line), Files.destination(ofLink: "/proc/\(pid)/cwd") == Files.resolved(cluster) { return }
        Files.remove(file)
        // Its socket has a lock of the same kind.
        for name in Files.entries(ofFolder: sockets) { Files.remove("\(sockets)/\(name)") }
    }
}
