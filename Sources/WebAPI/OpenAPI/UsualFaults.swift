internal import HTTPWire
internal import JSONWire

extension RouteDocumentation {
    /// Requests at `path` with the faults that clients make everywhere: what is required left out, a parameter that
    /// there is not, values that make no sense, a body of unknown members.
    ///
    /// How they are refused belongs to what callers may know. The reader itself is asked, so that nobody has to
    /// remember it.
    func usualFaults(at path: PathTemplate) -> [RequestContent] {
        let query = parameters.filter { $0.place == .query }
        let required = query.filter(\.isRequired).map { ($0.name, Self.text($0.example)) }
        let whole = body.map { $0.examples[0].description }
        let nonsense = "~ ~"

        var faulty = [
            request(at: path, query: [], body: whole),
            request(at: path, query: required + [("unknown", "1")], body: whole),
        ]
        for parameter in query {
            let others = required.filter { $0.0 != parameter.name }
            faulty.append(request(at: path, query: others + [(parameter.name, nonsense)], body: whole))
        }
        for parameter in parameters where parameter.place == .header {
            faulty.append(request(at: path, query: required, fields: ["\(parameter.name): \(nonsense)"], body: whole))
        }
        if body != nil { faulty.append(request(at: path, query: required, body: #"{"unknown":1}"#)) }
        return faulty.compactMap(\.self)
    }

    private func request(
        at path: PathTemplate,
        query: [(String, String)],
        fields: [String] = [],
        body: String?
    ) -> RequestContent? {
        let pairs = query.map { "\($0.0)=\(PercentEncoding.encode($0.1))" }
        let inPath = path.parameterNames.map { name in
            let example = parameters.first { $0.place == .path && $0.name == name }?.example
            return PathParameters.Entry(name: name, text: Self.text(example))
        }
        return RequestContent(
            target: pairs.isEmpty ? "/" : "/?\(pairs.joined(separator: "&"))",
            fields: fields + (body == nil ? [] : ["Content-Type: application/json"]),
            parameters: PathParameters(values: inPath),
            body: body
        )
    }

    private static func text(_ example: JSONValue?) -> String { example.map { $0.string ?? $0.description } ?? "" }
}
