internal import Reactor
public import Redis
public import RedisStreams

extension DeadLetters {
    /// Price events that were given up.
    @ReactorActor
    public static func ofPriceEvents(_ redis: RedisClient) -> DeadLetters {
        DeadLetters(stream: PriceEvent.stream, deadLetters: PriceEvent.deadLetters, redis: redis)
    }
}
