import Testing

/// The whole program at work: gateway, internal API, two workers, PostgreSQL and Redis.
@Suite(.runningSystem) struct EndToEndTests {}
