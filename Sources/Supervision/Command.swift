public import Basics
import Glibc

/// A program to run as a child: what, with which surroundings, as whom.
public struct Command: Sendable, Equatable {
    /// Path of the program; a bare name is looked up by ``Executable/find(_:alsoIn:)`` before it gets here.
    var executable: String
    /// Arguments after the program's own name.
    var arguments: [String]
    /// The whole environment of the child; nothing is inherited beyond it.
    public var environment: [String: String]
    /// Where the child starts; `nil` for where we are.
    public var workingDirectory: String?
    /// A file that becomes standard input; a service reads nothing, so it gets an empty one.
    public var standardInput = "/dev/null"
    /// The account to run as; `nil` for our own. Needs root.
    public var account: String?
    /// What the kernel sends the child when we die without having stopped it, `kill -9` included.
    public var parentDeathSignal: ParentDeathSignal

    /// A command that runs as ourselves, in our folder.
    public init(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String] = ProcessEnvironment.variables,
        workingDirectory: String? = nil,
        parentDeathSignal: ParentDeathSignal = .terminate
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.parentDeathSignal = parentDeathSignal
    }

    /// What is really executed.
    ///
    /// `posix_spawn(3)` can set neither a parent-death signal nor a user, so `setpriv(1)` does both and then becomes
    /// the program. The order matters: the kernel clears the signal when credentials change (prctl(2)), and `setpriv`
    /// sets it last.
    ///
    /// - Parameter setpriv: Its path, or `nil` where the system has none; then children outlive a killed parent.
    func argumentVector(setpriv: String?) -> [String] {
        guard let setpriv else { return [executable] + arguments }
        var words = [setpriv, "--pdeathsig", parentDeathSignal.rawValue]
        if let account {
            words += ["--reuid", account, "--regid", account, "--init-groups"]
        }
        return words + ["--", executable] + arguments
    }
}

/// A signal by the name that `setpriv(1)` knows it by.
public enum ParentDeathSignal: String, Sendable {
    /// SIGINT: PostgreSQL's *fast* shutdown.
    case interrupt = "INT"
    /// SIGQUIT: PostgreSQL's *immediate* shutdown.
    case quit = "QUIT"
    /// SIGTERM: finish and go.
    case terminate = "TERM"
    /// SIGKILL: gone.
    case kill = "KILL"
}

/// Finding programs.
public enum Executable {
    /// The first executable file of that name in `PATH`, then in the given folders.
    public static func find(_ name: String, alsoIn folders: [String] = []) -> String? {
        let path = ProcessEnvironment.variables["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return (path.split(separator: ":").map(String.init) + folders)
            .map { "\($0)/\(name)" }
            .first { unsafe access($0, X_OK) == 0 && Files.isRegularFile($0) }
    }

    /// The program that is running now.
    public static var current: String { Files.destination(ofLink: "/proc/self/exe") ?? CommandLine.arguments[0] }
}
