import Glibc

/// Input, output and error output of the process, which everybody takes for granted.
enum StandardStreams {
    /// Opens `/dev/null` in the place of those that are closed, before anything else is opened.
    ///
    /// The kernel gives the lowest free number to whatever is opened next, so a connection to the database would become
    /// number 2, and words for the terminal would be written into it.
    static func complete() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
            // Takes the lowest free number, which is this one.
            _ = unsafe open("/dev/null", O_RDWR)
        }
    }
}
