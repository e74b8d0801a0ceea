public import Configuration

/// `[simulator]`: where what stands in for the outside world is.
public struct SimulatorSettings: Sendable {
    /// Its base URL; what the word "simulator" means where an address of the outside world is asked for.
    public var url = "http://127.0.0.1:8090"

    /// The keys.
    public static let table = ConfigurationTable("simulator", "What stands in for the outside world", Self()) {
        Key(
            "url",
            \.url,
            length: 8...1024,
            form: "a URL http://HOST:PORT",
            "Base URL of the simulator, for whatever is in the outside world"
        ) { $0.hasPrefix("http://") }
    }
}
