import CLinux
import Glibc
import Reactor

/// The C side of starting a process.
enum Spawn {
    /// Starts a command as the leader of a session of its own.
    ///
    /// A session of its own, because a terminal sends Ctrl-C to every process of the foreground group at once, and what
    /// is supervised is stopped in order, by its supervisor.
    ///
    /// Signals are reset: a shell starts background jobs with SIGINT ignored, and our SIGPIPE is, and both would be
    /// inherited.
    ///
    /// - Parameter output: Becomes standard output and standard error; stays the caller's.
    static func start(_ command: Command, output: CInt) throws(SupervisionError) -> CInt {
        let setpriv = Executable.find("setpriv")
        if command.account != nil, setpriv == nil { throw .programNotFound(name: "setpriv", package: "util-linux") }
        let words = command.argumentVector(setpriv: setpriv)

        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, command.standardInput, O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 2)
        unsafe posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        if let folder = command.workingDirectory {
            unsafe posix_spawn_file_actions_addchdir_np(&actions, folder)
        }

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setflags(&attributes, clinux_spawn_flags_fresh_session())

        let arguments = CStrings(words)
        let environment = CStrings(command.environment.map { "\($0.key)=\($0.value)" })
        var pid: CInt = 0
        let failure = unsafe posix_spawn(
            &pid,
            words[0],
            &actions,
            &attributes,
            arguments.pointers,
            environment.pointers
        )
        guard failure == 0 else {
            throw .cannotSpawn(program: command.executable, errno: failure)
        }
        return pid
    }
}

/// A null-terminated array of C strings, as `execve(2)` takes it.
@safe private struct CStrings: ~Copyable {
    /// Owned, strings and all, until this value ends.
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        unsafe pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() {
            unsafe (pointers + index).initialize(to: strdup(string))
        }
        unsafe (pointers + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { unsafe free(pointers[index]) }
        unsafe pointers.deallocate()
    }
}
