internal import HTTPWire

/// What a request said in the fields that an answer names in `Vary` (RFC 9111 §4.1).
struct CacheVariant: Hashable, Sendable {
    /// Fields in which a comma is a comma. Of others nobody knows, and most are lists.
    private static let singletons: Set = ["authorization", "cookie", "from", "host", "origin", "referer", "user-agent"]

    /// In small letters and in order.
    let names: [String]
    /// nil for what was not said.
    private let values: [[UInt8]?]

    /// What it weighs; its values are as long as clients like.
    var byteCount: Int {
        names.reduce(0) { $0 + $1.utf8.count + 32 } + values.reduce(0) { $0 + ($1?.count ?? 0) + 32 }
    }

    init(_ answer: HTTPFields, of request: RequestHead) {
        let named = answer.values("vary").flatMap { QuotedList.members(of: $0) }.map { $0.lowercased() }
        self.init(Set(named).sorted(), of: request)
    }

    /// What a request says in fields of these names.
    init(_ names: [String], of request: RequestHead) {
        self.names = names
        values = names.map { Self.value($0, of: request.fields) }
    }

    /// Several lines are one value, and in a list space around its commas means nothing.
    private static func value(_ name: String, of fields: HTTPFields) -> [UInt8]? {
        // What belongs to the client's connection does not get to the upstream.
        guard fields.contains(name), !fields.list("connection", contains: name) else { return nil }
        let isList = !singletons.contains(name)
        var value: [UInt8] = []
        func append(_ part: Span<UInt8>) {
            if !value.isEmpty { value.append(UInt8(ascii: ",")) }
            value.append(copying: part)
        }
        fields.forEachValue(name) { line in
            guard isList else { return append(line) }
            QuotedList.forEachMember(of: line) { append(line.extracting($0)) }
        }
        return value
    }
}
