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
