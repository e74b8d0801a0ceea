/// Our part of the page: the HTML around Swagger UI and the script that starts it.
enum SwaggerPage {
    /// Paths are absolute, because the page is the same with and without a slash at its end.
    static func html(title: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(title)</title>
        <link rel="icon" type="image/png" href="/swagger-ui/favicon-32x32.png">
        <link rel="stylesheet" href="/swagger-ui/swagger-ui.css">
        <link rel="stylesheet" href="/swagger-ui/page.css">
        <script src="/swagger-ui/swagger-ui-bundle.js" defer></script>
        <script src="/swagger-ui/swagger-initializer.js" defer></script>
        </head>
        <body>
        <div id="swagger-ui"></div>
        <noscript>This page needs JavaScript; <a href="/openapi.json">the description</a> does not.</noscript>
        </body>
        </html>

        """
    }

    /// Nothing is sent anywhere but to this server: Swagger UI would ask its makers to validate the document.
    static let script = """
        "use strict";
        SwaggerUIBundle({
          url: "/openapi.json",
          dom_id: "#swagger-ui",
          deepLinking: true,
          displayRequestDuration: true,
          tryItOutEnabled: true,
          validatorUrl: null,
        });

        """

    /// What Swagger UI lays out for wide windows, and too much of: every path has HEAD and OPTIONS, about which their
    /// group says all there is to say in one sentence; no answer of ours has links to others.
    static let style = """
        .swagger-ui .opblock-head, .swagger-ui .opblock-options, .swagger-ui .response-col_links { display: none; }
        @media (max-width: 640px) {
          .swagger-ui .wrapper { padding: 0 8px; }
          .swagger-ui .opblock-tag { flex-wrap: wrap; }
          .swagger-ui .opblock-tag small { flex-basis: 100%; padding: 4px 0 0; }
          .swagger-ui .opblock .opblock-section-header, .swagger-ui table.parameters, .swagger-ui .responses-inner {
            padding-left: 8px; padding-right: 8px;
          }
        }

        """
}
