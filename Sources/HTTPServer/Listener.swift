internal import Reactor

/// One listening socket.
@ReactorActor
final class Listener {
    /// Whether its connections are secure.
    let isSecure: Bool
    private let descriptor: FileDescriptor
    private let file: UnixSocketFile?
    private var watcher: IOWatcher?

    /// Listens; `onReady` is called while connections wait to be accepted.
    init(
        on address: SocketAddress,
        configuration: HTTPServerConfiguration,
        isSecure: Bool,
        onReady: @escaping (Listener) -> Void
    ) throws(ListenError) {
        self.isSecure = isSecure
        if case .unix(let path) = address { try UnixSocketFile.removeStale(path) }
        do {
            descriptor = try Sockets.listen(
                on: address,
                backlog: CInt(clamping: configuration.backlog),
                isPortShared: configuration.isPortShared
            )
        } catch {
            throw .system(error)
        }
        file = if case .unix(let path) = address { UnixSocketFile(path) } else { nil }
        // Unowned: the watcher goes with this object.
        watcher = IOWatcher(descriptor: descriptor.number, for: .read) { [unowned self] _ in onReady(self) }
    }

    /// The address that it is bound to, with the port that the system chose.
    var address: SocketAddress {
        get throws(SystemError) { try Sockets.localAddress(descriptor.number) }
    }

    /// The next connection that waits, or nil.
    func accept() throws(SystemError) -> FileDescriptor? { try Sockets.accept(descriptor.number) }

    /// Leaves connections in the kernel's queue.
    func pause() { watcher?.stop() }

    /// Goes on accepting.
    func resume() { watcher?.start() }

    /// Lets nobody else into the kernel's queue, so that what is accepted now is the last: between that and the close,
    /// a process that is not given the processor would have others wait there, and be cut.
    func refuseNewcomers() {
        guard file == nil else { return removeFile() }
        Sockets.narrowQueue(of: descriptor.number)
    }

    /// Removes the file of a Unix-domain socket; the socket itself closes with this object.
    func removeFile() { file?.remove() }
}
