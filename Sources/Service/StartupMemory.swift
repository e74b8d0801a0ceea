internal import CLinux
internal import Reactor

/// Gives back the memory that only the start of a process needed.
///
/// Reading configuration, describing routes and connecting run a lot of code once, and the kernel maps 64 KiB around
/// each page of it: two thirds of what an idle service would occupy. What runs again costs one page fault for as much.
@ReactorActor
enum StartupMemory {
    /// By then a service has connected to whatever it needs, if that is there.
    private static let startDuration = Duration.seconds(2)

    static func releaseWhenStarted() {
        Reactor.spawn {
            try? await Reactor.sleep(for: startDuration)
            clinux_release_startup_memory()
        }
    }
}
