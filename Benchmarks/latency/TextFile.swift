import Glibc

/// Writing results down.
enum TextFile {
    /// Makes or replaces a file; says on standard error why it could not.
    static func write(_ text: String, to path: String) -> Bool {
        guard let file = unsafe fopen(path, "w") else {
            unsafe perror(path)
            return false
        }
        let isWritten = unsafe fputs(text, file) >= 0
        guard unsafe fclose(file) == 0, isWritten else {
            unsafe perror(path)
            return false
        }
        return true
    }
}
