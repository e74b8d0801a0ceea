internal import Redis

extension StreamEntry {
    /// Reads `[id, [name, value, …]]`.
    init?(_ reply: RedisReply) {
        guard let parts = reply.array, parts.count >= 2, let id = parts[0].text.flatMap({ StreamPosition($0) }),
            let fields = Self.fields(parts[1])
        else { return nil }
        self.init(id: id, fields: fields)
    }

    /// Reads `[name, value, …]`.
    static func fields(_ reply: RedisReply) -> [Field]? {
        guard let parts = reply.array, parts.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: parts.count, by: 2).map { index in
            Field(parts[index].text ?? "", parts[index + 1].bytes ?? [])
        }
    }

    /// The entries of one stream in the reply of `XREADGROUP`; none if there is nothing to read.
    static func list(_ reply: RedisReply) -> [StreamEntry]? {
        if case .null = reply { return [] }
        guard let entries = reply.array?.first?.array?.last?.array else { return nil }
        // A deleted entry of one's own history has no fields; nothing can be done about it.
        return entries.map { entry in
            StreamEntry(entry)
                ?? StreamEntry(id: entry.array?.first?.text.flatMap { StreamPosition($0) } ?? .start, fields: [])
        }
    }

    /// What a patrol took over: entries with their number of deliveries.
    static func taken(_ reply: RedisReply) -> [(entry: StreamEntry, failures: Int)]? {
        reply.array?.compactMap { item in
            guard let parts = item.array, parts.count == 3, let id = parts[0].text.flatMap({ StreamPosition($0) }),
                let deliveries = parts[1].integer, let fields = fields(parts[2])
            else { return nil }
            return (StreamEntry(id: id, fields: fields), Int(deliveries))
        }
    }
}
