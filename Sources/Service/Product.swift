/// What all services are parts of.
public enum Product {
    /// The version of the whole; every service of a system should be of the same.
    public static let version = "0.1.0"
}
