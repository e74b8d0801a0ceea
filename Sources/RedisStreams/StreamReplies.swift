internal import Reactor
package import Redis

extension StreamEntry {
    /// Reads `[id, [name, value, …]]`.
    package init?(_ reply: RedisReply) {
        guard let parts = reply.array, parts.count >= 2, let id = parts[0].text.flatMap({ StreamPosition($0) }),
            let fields = parts[1].array, fields.count.isMultiple(of: 2)
        else { return nil }
        self.init(
            id: id,
            fields: stride(from: 0, to: fields.count, by: 2).map { index in
                Field(fields[index].text ?? "", fields[index + 1].bytes ?? [])
            }
        )
    }

    /// Reads an id, and `[name, value, …]`.
    @ReactorActor
    fileprivate init?(_ id: borrowing RedisReplyView, _ parts: borrowing RedisReplyView) {
        guard let position = id.withBytes({ text in StreamPosition(text) }), parts.count.isMultiple(of: 2) else {
            return nil
        }
        var fields: [Field] = []
        fields.reserveCapacity(parts.count / 2)
        for index in stride(from: 0, to: parts.count, by: 2) {
            fields.append(Field(parts[index].text ?? "", parts[index + 1].bytes))
        }
        self.init(id: position, fields: fields)
    }
}

@ReactorActor
extension StreamDelivery {
    /// The entries of one stream in the reply of `XREADGROUP`, `[[stream, [[id, [name, value, …]], …]]]`; none if there
    /// is nothing to read.
    static func read(_ reply: borrowing RedisReplyView) -> [StreamDelivery] {
        guard reply.count == 1, reply[0].count == 2 else { return [] }
        return entries(reply[0][1])
    }

    private static func entries(_ entries: borrowing RedisReplyView) -> [StreamDelivery] {
        var list: [StreamDelivery] = []
        list.reserveCapacity(entries.count)
        for index in 0..<entries.count where entries[index].count == 2 {
            guard let entry = StreamEntry(entries[index][0], entries[index][1]) else { continue }
            list.append(StreamDelivery(entry: entry, number: 1))
        }
        return list
    }

    /// Reads the id, number of deliveries and fields of each entry from what a script returns.
    static func list(_ reply: borrowing RedisReplyView) -> [StreamDelivery] {
        var list: [StreamDelivery] = []
        for index in stride(from: 0, to: reply.count - 2, by: 3) {
            guard let entry = StreamEntry(reply[index], reply[index + 2]), let number = reply[index + 1].integer else {
                continue
            }
            list.append(StreamDelivery(entry: entry, number: Int(number)))
        }
        return list
    }

    static func ids(_ reply: borrowing RedisReplyView) -> [StreamPosition] {
        var ids: [StreamPosition] = []
        for index in 0..<reply.count {
            if let id = reply[index].withBytes({ text in StreamPosition(text) }) { ids.append(id) }
        }
        return ids
    }
}
