public import Configuration

/// `[documentation]`: how the service describes itself.
public enum DocumentationSettings {
    /// Where the files of Swagger UI are.
    public static let swaggerUI = ConfigurationKey<String>.text(
        "documentation.swagger_ui",
        default: "swagger-ui",
        length: 0...4096,
        form: "a path",
        "Folder with the files of Swagger UI, relative to this file; empty for no page"
    )

    static let section = ConfigurationSection("documentation", "How the service describes itself", swaggerUI)

    /// The folder that is meant; nil for none.
    ///
    /// A path from a file is relative to that file, as the file is what is moved about; any other is relative to the
    /// working directory.
    static func folder(_ configuration: Configuration) -> String? {
        let folder = configuration[swaggerUI]
        guard !folder.isEmpty else { return nil }
        guard !folder.hasPrefix("/"), case .file(let file, _) = configuration.source(of: swaggerUI),
            let slash = file.lastIndex(of: "/")
        else { return folder }
        return file[...slash] + folder
    }
}
