internal import Glibc

/// An open descriptor with one owner, closed when the owner lets go of it.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The number that the kernel knows it by; valid while this value lives.
    public let number: CInt

    /// Takes ownership of `number`.
    public init(owning number: CInt) { self.number = number }

    deinit { close(number) }

    /// Gives ownership to the caller, who closes it.
    public consuming func release() -> CInt {
        let number = number
        discard self
        return number
    }
}
