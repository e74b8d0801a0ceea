public import Configuration
public import TaskQueue

extension TaskQueueConfiguration {
    /// What a service's configuration says about the queue that it puts tasks into.
    public init(producerOf configuration: Configuration) {
        self.init(name: configuration[QueueSettings.name])
        depthLimit = configuration[QueueSettings.maxDepth]
        resultBytesLimit = configuration[QueueSettings.maxResults] * 1024 * 1024
        waiterLimit = configuration[QueueSettings.maxWaiting]
        resultTimeToLive = configuration[QueueSettings.resultLifetime]
    }

    /// What a service's configuration says about the queue that it runs tasks from.
    public init(consumerOf configuration: Configuration) {
        self.init(name: configuration[QueueSettings.name])
        concurrency = configuration[QueueSettings.concurrency]
        lease = configuration[QueueSettings.lease]
        retry = RetryPolicy(
            firstDelay: configuration[QueueSettings.retryFirst],
            delayCap: max(configuration[QueueSettings.retryFirst], configuration[QueueSettings.retryCap]),
            attemptLimit: configuration[QueueSettings.maxAttempts]
        )
        deadLetterLimit = configuration[QueueSettings.maxDead]
        resultTimeToLive = configuration[QueueSettings.resultLifetime]
    }
}
