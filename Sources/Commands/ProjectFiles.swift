import Supervision

/// Files of the project that commands need.
enum ProjectFiles {
    /// Where a file is, whose path in the project is given: above the program, which is in a folder of the project
    /// after a build, or else in the current folder, as in the image. So it does not matter where a command is called.
    static func find(_ path: String) -> String? {
        var folders = Executable.current.split(separator: "/").dropLast()
        while !folders.isEmpty {
            let file = "/\(folders.joined(separator: "/"))/\(path)"
            if Files.isRegularFile(file) { return file }
            folders.removeLast()
        }
        return Files.isRegularFile(path) ? path : nil
    }
}
