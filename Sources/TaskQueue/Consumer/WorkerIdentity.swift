internal import Reactor
internal import Redis

/// Who a worker is towards Redis: what every one of its scripts needs.
///
/// Scripts are Swift string literals rather than resource files, so that the program stays one file. All times in them
/// are Redis' own (`TIME`): the clocks of the workers' machines never decide about leases or due times.
@ReactorActor
struct WorkerIdentity {
    let redis: RedisClient
    let keys: QueueKeys
    /// Its name in the consumer group, of this process alone.
    let consumer: String
    let configuration: TaskQueueConfiguration
}
