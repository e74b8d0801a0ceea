/// Why a query could not be read as parameters.
///
/// Nothing of it is to be used.
public enum QueryError: Error, Hashable, Sendable {
    /// A broken percent escape in the parameter `name`; the name is as it came if the escape is in it.
    case malformedEscape(name: String)
    /// The name or value of the parameter `name` is not UTF-8 once decoded.
    case invalidUTF8(name: String)
    /// More than `limit` parameters.
    case tooManyParameters(limit: Int)
}

/// The parameters of a query, `a=b&c=d`, decoded, in order.
///
/// A name that is given twice is there twice: what that means is for the route to say.
///
/// Form rules (URL Standard, `application/x-www-form-urlencoded`), but strict: `+` is a space, `a` is `a` with an empty
/// value, `a=b=c` is `a` with `b=c`, empty pieces (`a=1&&b=2`) are passed over, a broken escape is an error.
public struct QueryParameters: Sendable, Hashable {
    /// One parameter, decoded.
    public struct Parameter: Sendable, Hashable {
        /// May be empty: `?=1`.
        public let name: String
        /// May be empty.
        public let value: String
    }

    /// All of them, in order.
    public let all: [Parameter]

    /// No parameters.
    public init() { all = [] }

    /// Reads a query.
    ///
    /// - Parameters:
    ///   - query: What stands behind the `?`.
    ///   - limit: Most parameters accepted.
    public init(parsing query: String, limit: Int = 64) throws(QueryError) {
        try self.init(parsing: query.utf8.span, limit: limit)
    }

    init(parsing query: Span<UInt8>, limit: Int) throws(QueryError) {
        var parameters: [Parameter] = []
        var start = 0
        while start < query.count {
            let end = query.firstIndex(of: ASCII.ampersand, from: start) ?? query.count
            if start < end {
                guard parameters.count < limit else { throw .tooManyParameters(limit: limit) }
                parameters.append(try Self.parameter(query.extracting(start..<end)))
            }
            start = end + 1
        }
        all = parameters
    }

    private static func parameter(_ pair: Span<UInt8>) throws(QueryError) -> Parameter {
        let nameEnd = pair.firstIndex(of: ASCII.equals, from: 0) ?? pair.count
        let name = try decode(pair.extracting(0..<nameEnd), of: pair.extracting(0..<nameEnd).text)
        let value = try decode(pair.extracting(min(nameEnd + 1, pair.count)..<pair.count), of: name)
        return Parameter(name: name, value: value)
    }

    private static func decode(_ bytes: Span<UInt8>, of name: String) throws(QueryError) -> String {
        do {
            return try PercentEncoding.decode(bytes, plusIsSpace: true)
        } catch {
            switch error {
            case .malformedEscape: throw .malformedEscape(name: name)
            case .invalidUTF8: throw .invalidUTF8(name: name)
            }
        }
    }

    /// The value of the first parameter `name`, or nil.
    ///
    /// Names are case-sensitive.
    public subscript(name: String) -> String? {
        for parameter in all where parameter.name == name { return parameter.value }
        return nil
    }

    /// Every value of the parameter `name`, in order.
    public func values(_ name: String) -> [String] {
        all.filter { $0.name == name }.map(\.value)
    }

    /// The first name that is given more than once, or nil.
    public var repeatedName: String? {
        var seen: Set<String> = []
        for parameter in all where !seen.insert(parameter.name).inserted { return parameter.name }
        return nil
    }
}
