public import Configuration

/// `[documentation]`: how the service describes itself.
public struct DocumentationSettings: Sendable {
    /// Where the files of Swagger UI are.
    var swaggerUI = "swagger-ui"

    /// The key.
    public static let table = ConfigurationTable("documentation", "How the service describes itself", Self()) {
        Key(
            "swagger_ui",
            \.swaggerUI,
            length: 0...4096,
            form: "a path",
            "Folder with the files of Swagger UI, relative to this file; empty for no page"
        )
    }

    /// The folder that is meant; nil for none.
    ///
    /// A path from a file is relative to that file, as the file is what is moved about; any other is relative to the
    /// working directory.
    static func folder(_ configuration: Configuration) -> String? {
        let folder = configuration[table].swaggerUI
        guard !folder.isEmpty else { return nil }
        guard !folder.hasPrefix("/"), case .file(let file, _) = configuration.source(of: "documentation.swagger_ui"),
            let slash = file.lastIndex(of: "/")
        else { return folder }
        return file[...slash] + folder
    }
}
