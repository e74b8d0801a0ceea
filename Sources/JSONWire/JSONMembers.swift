internal import Basics

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

/// Names by their number. By reference, as a copy would count its arrays with each member.
final class JSONNameTable: Sendable {
    /// The names one after the other, each between its quotation marks.
    private let bytes: [UInt8]
    /// Where each name begins in `bytes`, at its first quotation mark, and where the last one ends.
    private let starts: [Int]

    init(_ names: [String]) {
        precondition(names.count <= 64, "JSONMembers has a bit for each of 64 names")
        let quoted = names.map { "\"\($0)\"".utf8 }
        bytes = Array(quoted.joined())
        starts = quoted.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
    }

    /// Where the name at `position`, a quotation mark, ends if it is this one.
    func end(of index: Int, in text: Span<UInt8>, at position: Int) -> Int? {
        guard index < starts.count - 1 else { return nil }
        let bytes = bytes
        let names = bytes.span
        let name = names.extracting(starts[index]..<starts[index + 1])
        guard name.count <= text.count - position else { return nil }
        return text.extracting(position..<position + name.count).isEqual(to: name) ? position + name.count : nil
    }

    /// The number of a name, which is without quotation marks here.
    func index(of name: Span<UInt8>) -> Int? {
        let bytes = bytes
        let names = bytes.span
        for index in 0..<(starts.count - 1) {
            let other = names.extracting(starts[index] + 1..<starts[index + 1] - 1)
            if other.count == name.count, name.isEqual(to: other) { return index }
        }
        return nil
    }
}

extension Span<UInt8> {
    /// Whether the same bytes are in another span of the same length.
    func isEqual(to other: Span<UInt8>) -> Bool {
        var index = 0
        while count - index >= 8 {
            guard eight(at: index).word == other.eight(at: index).word else { return false }
            index += 8
        }
        while index < count {
            guard self[index] == other[index] else { return false }
            index += 1
        }
        return true
    }
}
