/// The path of a route, such as `/tasks/{id}`: literal segments and parameters.
public struct PathTemplate: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    /// One segment between slashes.
    enum Segment: Hashable {
        case literal(String)
        case parameter(String)
    }

    /// The template as it was written.
    public let description: String
    let segments: [Segment]
    /// What stands before the first parameter.
    let start: String
    /// Whether the template matches one path only.
    var isExact: Bool { start.utf8.count == description.utf8.count }

    /// Takes a template that starts with a slash and does not end in one.
    public init(stringLiteral template: String) {
        precondition(
            template.hasPrefix("/") && (template == "/" || !template.hasSuffix("/")),
            "not a path: \(template)"
        )
        description = template
        start = String(template.prefix { $0 != "{" })
        segments = template.split(separator: "/").map { segment in
            segment.hasPrefix("{") && segment.hasSuffix("}")
                ? .parameter(String(segment.dropFirst().dropLast())) : .literal(String(segment))
        }
    }

    /// The names of the parameters, in order.
    public var parameterNames: [String] {
        segments.compactMap { if case .parameter(let name) = $0 { name } else { nil } }
    }

    /// The values of the parameters if `path` matches, nil if it does not.
    ///
    /// A parameter matches one segment that is not empty. Its value stays percent-encoded as it came: the ids of this
    /// product hold nothing that needs decoding, so an escape in one names nothing.
    func match(_ path: Span<UInt8>) -> PathParameters? {
        guard let text = try? UTF8Span(validating: path) else { return nil }
        let path = String(copying: text)
        // By bytes: a mark that combines with a slash before it would hide that.
        let parts = path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard path.utf8.first == UInt8(ascii: "/"), parts.count == segments.count else { return nil }
        var values: [PathParameters.Entry] = []
        for (part, segment) in zip(parts, segments) {
            switch segment {
            case .literal(let literal):
                guard part.elementsEqual(literal.utf8) else { return nil }
            case .parameter(let name):
                guard !part.isEmpty else { return nil }
                values.append(PathParameters.Entry(name: name, text: String(Substring(part))))
            }
        }
        return PathParameters(values: values)
    }
}

/// What stood in the path where the template has parameters.
public struct PathParameters: Hashable, Sendable, ExpressibleByDictionaryLiteral {
    struct Entry: Hashable {
        let name: String
        let text: String
    }

    /// Of a path without parameters.
    public static let none = PathParameters(values: [])

    let values: [Entry]

    init(values: [Entry]) { self.values = values }

    /// What stands under each name, for tests.
    public init(dictionaryLiteral elements: (String, String)...) {
        self.init(values: elements.map { Entry(name: $0.0, text: $0.1) })
    }

    /// The value of a parameter that the route's template names.
    public subscript(name: String) -> String {
        guard let value = values.first(where: { $0.name == name }) else {
            preconditionFailure("the route has no path parameter \(name)")
        }
        return value.text
    }
}
