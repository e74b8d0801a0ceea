internal import Glibc

/// The environment that this process was started with.
public enum ProcessEnvironment {
    /// The variables by name; read once, at first use, as nothing in this program changes them.
    public static let variables: [String: String] = {
        var variables: [String: String] = [:]
        var next = unsafe environ
        while let assignment = unsafe next.pointee {
            let text = unsafe String(cString: assignment)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            unsafe next += 1
        }
        return variables
    }()
}
