internal import Basics
internal import Reactor
internal import Redis

/// Who a worker is towards Redis: what every one of its scripts needs.
@ReactorActor
struct WorkerIdentity {
    let redis: RedisClient
    let keys: QueueKeys
    /// Its name in the consumer group, of this process alone.
    let consumer: String
    let configuration: TaskQueueConfiguration

    /// The keys of a script that begins with ``ScriptPrelude``.
    var endingKeys: [String] { [keys.stream, keys.delayed, keys.dead, keys.totals, keys.kept, keys.keptBytes] }

    /// The arguments of a script that begins with ``ScriptPrelude``.
    func appendPrelude(to command: inout RedisCommand) {
        command.append(QueueKeys.group)
        command.append(consumer)
        command.append(keys.taskPrefix)
        command.append(configuration.resultTimeToLive.wholeMilliseconds)
        command.append(configuration.deadLetterLimit)
    }
}

/// A task as a worker got it.
struct Delivery {
    let entry: StreamEntryID
    /// How often the entry was handed to a worker, this time included.
    let deliveries: Int
    /// The bytes of the envelope.
    let text: [UInt8]

    /// Reads `entry, deliveries, envelope` triples from the elements of a script's reply.
    @ReactorActor
    static func list(in reply: borrowing RedisReplyView, from first: Int) -> [Delivery] {
        var list: [Delivery] = []
        for index in stride(from: first, to: reply.count - 2, by: 3) {
            guard let entry = reply[index].withBytes({ text in StreamEntryID(text) }),
                let deliveries = reply[index + 1].integer
            else { continue }
            list.append(Delivery(entry: entry, deliveries: Int(deliveries), text: reply[index + 2].bytes))
        }
        return list
    }
}
