import Basics
import Supervision

/// What `tickloop up` was asked for.
struct UpOptions: Sendable {
    /// Where everything is kept; absolute.
    var dataFolder: String
    /// Where the gateway listens on 127.0.0.1.
    var gatewayPort: UInt16 = 8080
    /// Gateway processes; they share the port.
    var gateways = 1
    /// API processes.
    var apis = 1
    /// Worker processes.
    var workers = 2
    /// Load the sample data at the first start.
    var hasSample = true
    /// The name of the queue, as the workers' configuration has it.
    var queue = "tasks"
    /// Use the PostgreSQL and Redis of the configuration instead of private ones.
    var isExternal = false
    /// The folder that holds `sql`, with the migrations, and `etc`, with `gateway.toml` and the others; absolute. A
    /// file that is not there leaves its service with the defaults.
    var home: String
    /// The program whose roles are run: this one.
    var program: String
    /// What the children inherit.
    var environment: [String: String]

    /// Options with the defaults of the command line.
    init(
        dataFolder: String,
        home: String,
        program: String = Executable.current,
        environment: [String: String] = ProcessEnvironment.variables
    ) {
        self.dataFolder = dataFolder
        self.home = home
        self.program = program
        self.environment = environment
    }
}
