internal import Basics
internal import HTTPServer
internal import HTTPWire
internal import JSONWire

/// Names what an answer says (RFC 9110 §8.8.3), so that a client that has it is told no more than that.
///
/// Weak, because the same content is given with and without compression: what it says is the same, its bytes are not.
/// It is made of the content alone, and so the same in every process and after a restart.
struct EntityTag: Hashable {
    private let hash: UInt64

    init(of content: [UInt8]) { hash = Self.hash(content) }

    /// `W/"…"`.
    var description: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    func append(to bytes: inout [UInt8]) {
        bytes.append(utf8: "W/\"")
        Hexadecimal.append(hash, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Eight bytes at a time, by folded multiplication: this is on the way of every answer.
    private static func hash(_ content: [UInt8]) -> UInt64 {
        let bytes = content.span
        var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
        func mix(_ word: UInt64) {
            let product = (hash ^ word).multipliedFullWidth(by: 0xd6e8_feb8_6659_fd93)
            hash = (product.high ^ product.low) &+ 0x2545_f491_4f6c_dd1d
        }
        var offset = 0
        while offset + 8 <= bytes.count {
            // The compiler makes one load of it.
            let word = bytes.extracting(offset..<offset + 8)
            let high =
                UInt64(word[0]) << 24 | UInt64(word[1]) << 16 | UInt64(word[2]) << 8 | UInt64(word[3])
            let low =
                UInt64(word[4]) << 24 | UInt64(word[5]) << 16 | UInt64(word[6]) << 8 | UInt64(word[7])
            mix(high << 32 | low)
            offset += 8
        }
        if offset < bytes.count {
            var rest: UInt64 = 0
            for index in offset..<bytes.count { rest = rest << 8 | UInt64(bytes[index]) }
            mix(rest)
        }
        mix(UInt64(content.count))
        mix(0)
        return hash
    }
}

extension HTTPFields {
    /// Whether a request with these fields says that the client has what is called so (RFC 9110 §13.1.2): one of a
    /// list of tags, which are compared weakly, or `*` for whatever there is.
    func isNoneMatch(of tag: String) -> Bool {
        func weak(_ tag: Substring) -> Substring { tag.hasPrefix("W/") ? tag.dropFirst(2) : tag }
        return values("If-None-Match").contains { list in
            list.split(separator: ",").contains { member in
                var member = member.drop { $0 == " " || $0 == "\t" }
                while let last = member.last, last == " " || last == "\t" { member.removeLast() }
                return member == "*" || weak(member) == weak(tag[...])
            }
        }
    }
}

extension Route {
    /// The same route with answers that are named by what they say: who has that already gets 304.
    public var tagged: Route {
        precondition(method == .get, "only what is read is read again")
        var route = self
        route.isTagged = true
        let fields = [
            AnswerField("ETag", "Names what the answer says.", example: "W/\"af63dc4c8601ec8c\""),
            AnswerField(
                "Cache-Control",
                "May be kept, and must be asked for each time.",
                .word([EntityTag.cacheControl]),
                example: .string(EntityTag.cacheControl)
            ),
        ]
        let known = RouteAnswer.empty(.notModified, "The client has what would be answered.", fields: fields)
        route.documentation = RouteDocumentation(
            documentation.summary,
            details: documentation.details,
            in: documentation.group,
            parameters: documentation.parameters + StaticContent.documentedParameters,
            body: documentation.body,
            answers: documentation.answers.map { $0.status == .ok ? $0.adding(fields) : $0 } + [known],
            errors: documentation.errors
        )
        return route
    }
}

extension EntityTag {
    static let cacheControl = "no-cache"
}
