/// Why a query could not be read as parameters at all.
public enum QueryError: Error, Hashable, Sendable {
    /// More than `limit` parameters.
    case tooManyParameters(limit: Int)
}

/// The parameters of a query, `a=b&c=d`, decoded, in order.
///
/// A name that is given twice is there twice: what that means is for the route to say.
///
/// Form rules (URL Standard, `application/x-www-form-urlencoded`), but strict: `+` is a space, `a` is `a` with an empty
/// value, `a=b=c` is `a` with `b=c`, empty pieces (`a=1&&b=2`) are passed over, a broken escape is a
/// fault of its parameter.
public struct QueryParameters: Sendable, Hashable {
    /// One parameter, decoded.
    public struct Parameter: Sendable, Hashable {
        /// May be empty: `?=1`. As it came if it cannot be decoded.
        public let name: String
        /// May be empty. As it came if it cannot be decoded.
        public let value: String
        /// Why the name or the value cannot be decoded; nothing of the parameter is to be used then.
        public let fault: PercentEncoding.Fault?
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
                parameters.append(Self.parameter(query.extracting(start..<end)))
            }
            start = end + 1
        }
        all = parameters
    }

    private static func parameter(_ pair: Span<UInt8>) -> Parameter {
        let nameEnd = pair.firstIndex(of: ASCII.equals, from: 0) ?? pair.count
        let name = pair.extracting(0..<nameEnd)
        let value = pair.extracting(min(nameEnd + 1, pair.count)..<pair.count)
        do throws(PercentEncoding.Fault) {
            let name = try PercentEncoding.decode(name, plusIsSpace: true)
            do throws(PercentEncoding.Fault) {
                let value = try PercentEncoding.decode(value, plusIsSpace: true)
                return Parameter(name: name, value: value, fault: nil)
            } catch {
                return Parameter(name: name, value: value.text, fault: error)
            }
        } catch {
            return Parameter(name: name.text, value: value.text, fault: error)
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
}
