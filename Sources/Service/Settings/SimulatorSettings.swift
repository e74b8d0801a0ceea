public import Configuration
public import HTTPClient

/// `[simulator]`: where the stand-in for the outside world is.
public struct SimulatorSettings: Sendable {
    /// What the word `simulator` means wherever an upstream is named.
    public var url = Self.here

    private static let here: HTTPBaseURL = {
        guard let url = HTTPBaseURL(parsing: "http://127.0.0.1:8090") else { preconditionFailure("this is a URL") }
        return url
    }()

    /// The keys.
    public static let table = ConfigurationTable("simulator", "The stand-in for the outside world", Self()) {
        Key(
            "url",
            \.url,
            form: HTTPBaseURL.form,
            "What the word simulator means as the address of an upstream"
        ) { HTTPBaseURL(parsing: $0) }
    }
}
