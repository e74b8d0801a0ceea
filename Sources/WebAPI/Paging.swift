package import HTTPServer
internal import HTTPWire
package import JSONWire

// Lists are read a page at a time: `limit` elements at most, from behind the one that `after` names.

extension Field<Int> {
    fileprivate static let pageLimitDefault = 100

    /// How many elements a page has at most.
    package static let pageLimit = Field.query(
        "limit",
        .wholeNumber(in: 1...1000),
        "How many at most; \(pageLimitDefault) unless said otherwise.",
        example: 100
    )
}

extension Fields {
    package mutating func readPageLimit() -> Int { read(.pageLimit) ?? Field.pageLimitDefault }
}

extension HTTPResponse {
    /// `{"data":[…],"next":…}`.
    ///
    /// - Parameters:
    ///   - elements: One more than the page has, if there is one.
    ///   - next: Writes what `after` is on the following page, from the last element of this one.
    package static func page<Elements: RandomAccessCollection>(
        _ elements: Elements,
        limit: Int,
        elementBytes: Int = 256,
        next: (inout JSONWriter, Elements.Element) -> Void,
        write: (inout JSONWriter, Elements.Element) -> Void
    ) -> HTTPResponse {
        let page = elements.prefix(limit)
        var writer = JSONWriter(capacity: 64 + page.count * elementBytes)
        writer.object { writer in
            writer.key("data")
            writer.array { writer in
                for element in page { write(&writer, element) }
            }
            writer.key("next")
            if elements.count > limit, let last = page.last { next(&writer, last) } else { writer.null() }
        }
        return HTTPResponse(json: writer.take())
    }
}

extension RouteAnswer {
    /// A page of a list.
    package static func page(of element: Schema, next: JSONValue, _ name: String, example: JSONValue) -> RouteAnswer {
        .json(
            .ok,
            "A page; `next` is `after` of the following one, and `null` on the last.",
            .object(["data": .array(of: element), "next": .anything]).named(name),
            example: ["data": [example], "next": next]
        )
    }
}
