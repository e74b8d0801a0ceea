/// The names that members of an object may have, which are told apart by their bytes: no text is made of a name.
public struct JSONNames<Name: CaseIterable & RawRepresentable & Sendable>: Sendable where Name.RawValue == String {
    fileprivate let all: [Name]
    fileprivate let table: JSONNameTable

    /// Takes all cases of an enumeration by their raw values: at most 64, none of which needs an escape.
    public init() {
        all = Array(Name.allCases)
        table = JSONNameTable(all.map(\.rawValue))
    }
}

/// The members of one object as ``JSONReader`` comes to them.
///
/// A member of another name is passed over and counted. A name that repeats is a fault, unless it is of those.
public struct JSONMembers<Name: CaseIterable & RawRepresentable & Sendable>: Sendable where Name.RawValue == String {
    private let names: JSONNames<Name>
    /// One bit for each name that came.
    private var seen: UInt64 = 0
    /// The name behind the last one: nearly every object has its members in the order in which they are declared.
    private var guess = 0
    /// Members that were passed over.
    public private(set) var unknownCount = 0

    /// Begins with the object that the reader opens next.
    public init(_ names: JSONNames<Name>) {
        self.names = names
    }

    /// Goes to the value of the next member with one of the names; nil at the object's end, which is consumed.
    public mutating func next(_ reader: inout JSONReader, _ text: Span<UInt8>) throws(JSONParseError) -> Name? {
        while try reader.nextMember(text) {
            let offset = reader.position
            guard let index = try reader.name(text, among: names.table, guess: guess) else {
                unknownCount += 1
                try reader.skip(text)
                continue
            }
            guard seen & 1 << UInt64(index) == 0 else { throw JSONParseError(.duplicateName, at: offset) }
            seen |= 1 << UInt64(index)
            guess = index + 1
            return names.all[index]
        }
        return nil
    }
}

/// Names by their number.
struct JSONNameTable: Sendable {
    /// The names one after the other, each between its quotation marks.
    private var bytes: [UInt8] = []
    /// Where each name ends in `bytes`, behind its quotation mark; the first one begins at 0.
    private var ends: [Int] = []

    init(_ names: [String]) {
        precondition(names.count <= 64, "JSONMembers has a bit for each of 64 names")
        for name in names {
            bytes.append(UInt8(ascii: "\""))
            bytes.append(contentsOf: name.utf8)
            bytes.append(UInt8(ascii: "\""))
            ends.append(bytes.count)
        }
    }

    /// Where the name at `position`, a quotation mark, ends if it is this one.
    func end(of index: Int, in text: Span<UInt8>, at position: Int) -> Int? {
        guard index < ends.count else { return nil }
        let start = index == 0 ? 0 : ends[index - 1]
        let count = ends[index] - start
        guard count <= text.count - position else { return nil }
        for offset in 0..<count where text[position + offset] != bytes[start + offset] { return nil }
        return position + count
    }

    /// The number of a name, which is without quotation marks here.
    func index(of name: Span<UInt8>) -> Int? {
        var start = 0
        for (index, end) in ends.enumerated() {
            if end - start - 2 == name.count, has(name, at: start + 1) { return index }
            start = end
        }
        return nil
    }

    private func has(_ name: Span<UInt8>, at start: Int) -> Bool {
        for index in name.indices where name[index] != bytes[start + index] { return false }
        return true
    }
}
