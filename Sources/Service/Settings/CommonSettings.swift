public import Configuration

extension ConfigurationSection {
    /// The sections of every role, which stand behind its own.
    public static let common = [
        TLSSettings.table.section, LoggingSettings.table.section, TracingSettings.table.section,
        ShutdownSettings.table.section,
    ]
}
