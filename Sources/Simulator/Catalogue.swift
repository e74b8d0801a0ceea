internal import HTTPServer
internal import HTTPWire
internal import JSONWire
internal import WebAPI

/// The catalogue behind the gateway's default proxy route: categories of a shop, made of their ids alone.
enum Catalogue {
    private static let group = RouteGroup("Catalogue", "Stands behind the gateway's default proxy route.")
    private static let names = ["Books", "Music", "Garden", "Kitchen", "Sports", "Toys", "Tools", "Travel"]
    private static let id = RouteParameter.path("id", "The category.", .string(), example: "MLA5725")
    private static let answers: [RouteAnswer] = [
        .json(.ok, "What is there.", .object([:], isOpen: true), example: nil),
        .json(.notFound, "There is no such category.", .object([:], isOpen: true), example: nil),
    ]

    static let routes = [
        Route(
            .get,
            "/categories/{id}",
            RouteDocumentation("One category", in: group, parameters: [id], answers: answers)
        ) { context in
            let id = context.parameters["id"]
            return answer(id) { append(id, $0, to: &$1) }
        },
        Route(
            .get,
            "/categories/{id}/{part}",
            RouteDocumentation(
                "A part of one category",
                in: group,
                parameters: [id, .path("part", "Which.", .string(), example: "attributes")],
                answers: answers
            )
        ) { context in
            let part = context.parameters["part"]
            return answer(context.parameters["id"]) { number, writer in
                writer.member("id", context.parameters["id"])
                writer.member("part", part)
                writer.member("total_items", number % 1000)
            }
        },
    ]

    /// The answer about a category: its id is three capital letters and a number.
    private static func answer(_ id: String, _ write: (Int, inout JSONWriter) -> Void) -> HTTPResponse {
        let letters = id.prefix(3)
        let digits = id.dropFirst(3)
        guard letters.count == 3, letters.utf8.allSatisfy({ (0x41...0x5a).contains($0) }), digits.count <= 9,
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits)
        else {
            var response = HTTPResponse(
                json: Array(#"{"message":"Category not found","error":"not_found","status":404}"#.utf8),
                status: .notFound
            )
            response.fields.append("Cache-Control", "no-store")
            return response
        }
        var writer = JSONWriter(capacity: 256)
        writer.object { write(number, &$0) }
        var response = HTTPResponse(json: writer.take())
        response.fields.append("Cache-Control", "public, max-age=60")
        response.fields.append("ETag", "\"\(id)\"")
        return response
    }

    private static func append(_ id: String, _ number: Int, to writer: inout JSONWriter) {
        let name = names[number % names.count]
        writer.member("id", id)
        writer.member("name", name)
        writer.member("total_items_in_this_category", number % 1000)
        writer.key("children_categories")
        writer.array { writer in
            for child in 1...3 {
                writer.object { writer in
                    writer.member("id", "\(id.prefix(3))\(number % 10_000_000 * 10 + child)")
                    writer.member("name", "\(name) \(child)")
                }
            }
        }
    }
}
