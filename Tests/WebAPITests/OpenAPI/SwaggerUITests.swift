import Reactor
import Supervision
import TestSupport
import Testing

@Suite struct SwaggerUITests {
    init() { Reactor.runInBackground() }

    /// A folder with files named as the package's.
    private func makeFolder() throws -> String {
        let folder = try TestFolder.make()
        try Files.write("body{}", to: "\(folder)/swagger-ui.css")
        try Files.write("/**/", to: "\(folder)/swagger-ui-bundle.js")
        try Files.write("PNG", to: "\(folder)/favicon-32x32.png")
        try Files.write("secret", to: "\(folder)/secret.txt")
        return folder
    }

    @Test @ReactorActor func `the page and its files come with their types and a policy`() async throws {
        try await withService(folder: makeFolder()) { service in
            #expect(service.complaint == nil)
            let expected = [
                ("/swagger-ui", "text/html; charset=utf-8"), ("/swagger-ui/", "text/html; charset=utf-8"),
                ("/docs", "text/html; charset=utf-8"), ("/v1/docs/", "text/html; charset=utf-8"),
                ("/swagger-ui/index.html", "text/html; charset=utf-8"),
                ("/swagger-ui/swagger-ui.css", "text/css; charset=utf-8"),
                ("/swagger-ui/page.css", "text/css; charset=utf-8"),
                ("/swagger-ui/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
                ("/swagger-ui/swagger-initializer.js", "text/javascript; charset=utf-8"),
                ("/swagger-ui/favicon-32x32.png", "image/png"),
            ]
            for (path, mediaType) in expected {
                let response = try await service.ask(path)
                #expect(response.status == 200, "\(path)")
                #expect(response["content-type"] == mediaType)
                #expect(response["x-content-type-options"] == "nosniff")
                if mediaType.hasPrefix("text/html") {
                    let policy = try #require(response["content-security-policy"])
                    #expect(policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self';"))
                    #expect(!policy.contains("unsafe") && !policy.contains("http"))
                }
                let tag = try #require(response["etag"])
                #expect(try await service.ask(path, "GET", "If-None-Match: \(tag)").status == 304)
                #expect(try await service.ask(path, "HEAD")["content-length"] == "\(response.body.utf8.count)")
                #expect(try await service.ask(path, "POST")["allow"] == "GET, HEAD, OPTIONS")
            }
        }
    }

    @Test @ReactorActor func `the page has no script in it, and everything it names is there`() async throws {
        try await withService(folder: makeFolder()) { service in
            let page = try await service.ask("/swagger-ui/").body
            #expect(!page.contains("<style") && !page.contains(" style=") && !page.contains("onload"))
            #expect(page.matches(of: /<script/).count == page.matches(of: /<script src="[^"]+" defer><\/script>/).count)
            let script = try await service.ask("/swagger-ui/swagger-initializer.js").body
            let links = (page + script).matches(of: /"(\/[a-z][^"]*)"/).map { String($0.1) }
            #expect(links.count == 7)
            for link in links { #expect(try await service.ask(link).status == 200, "\(link)") }
        }
    }

    @Test @ReactorActor func `the page shows neither HEAD nor OPTIONS, which every path has`() async throws {
        try await withService(folder: makeFolder()) { service in
            let style = try await service.ask("/swagger-ui/page.css").body
            let hidden = try #require(style.firstMatch(of: /^(.*) \{ display: none; \}/)).1
            #expect(hidden.contains(".opblock-head") && hidden.contains(".opblock-options"))
        }
    }

    @Test @ReactorActor func `no other file can be had`() async throws {
        try await withService(folder: makeFolder()) { service in
            for path in [
                "secret.txt", "..", "../secret.txt", "%2e%2e", "..%2fsecret.txt", "swagger-ui.css/x", "SWAGGER-UI.CSS",
                "swagger-ui.css%00",
            ] {
                let response = try await service.ask("/swagger-ui/\(path)")
                #expect(response.status == 404, "\(path)")
            }
        }
    }

    @Test @ReactorActor func `without the files the service works, and the page says what is wrong`() async throws {
        try await withService(folder: "/nonexistent") { service in
            #expect(service.complaint == "/nonexistent/swagger-ui.css cannot be read: No such file or directory")
            #expect(try await service.ask("/openapi.json").status == 200)
            for path in ["/swagger-ui/", "/docs", "/swagger-ui/swagger-ui.css"] {
                let response = try await service.ask(path)
                #expect(response.status == 404)
                #expect(response.body.hasPrefix(#"{"code":"NOT_FOUND","message":"The files of Swagger UI are not"#))
            }
        }
    }

    @Test @ReactorActor func `a file that is too large is refused`() async throws {
        let folder = try makeFolder()
        try Files.write(String(repeating: " ", count: 4 << 20 | 1), to: "\(folder)/swagger-ui-bundle.js")
        try await withService(folder: folder) { service in
            #expect(service.complaint == "\(folder)/swagger-ui-bundle.js is longer than 4194304 bytes")
        }
    }
}
