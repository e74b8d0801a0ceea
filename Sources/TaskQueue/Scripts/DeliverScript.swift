internal import Reactor
internal import Redis
internal import RedisStreams

/// Ends tasks that succeeded and of which nothing is kept: publishes the results, then acknowledges.
///
/// This is ``FinishScript`` for what nearly every task is, at a third of its cost: the results do not pass through
/// Lua, and each command does the whole batch. In return a result is published also when another worker was faster;
/// then its submitter has an answer already, and ignores the second.
enum DeliverScript {
    private static let script = RedisScript(
        """
        -- KEYS: stream, totals. ARGV: group, entries. Returns how many of the tasks were ended by this call.
        local ended = redis.call('XACK', KEYS[1], unpack(ARGV))
        redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
        redis.pcall('HINCRBY', KEYS[2], 'succeeded', ended)
        return ended
        """
    )

    /// A message that is as long takes no more results: longer ones save nothing, and cost memory at every hop.
    private static let messageBytes = 64 * 1024

    /// What a batch says to whom.
    private struct Message {
        let channel: String
        var replies = ReplyBatch()
    }

    /// Runs the script.
    ///
    /// - Parameter endings: Only those that are ``FinishScript/Ending/isPlainSuccess``, and not more of them than
    ///   ``FinishScript/batchLimit``.
    @ReactorActor
    static func run(
        _ endings: some Collection<FinishScript.Ending>,
        as worker: WorkerIdentity,
        then handler: @escaping @ReactorActor (Result<FinishScript.Summary, RedisError>) -> Void
    ) {
        var publishingFailed: RedisError?
        for message in messages(of: endings) {
            var command = RedisCommand(capacityBytes: message.replies.bytes.count + 128)
            command.append("PUBLISH")
            command.append(message.channel)
            command.append(message.replies.bytes)
            worker.redis.send(&command) { outcome in publishingFailed = outcome.error ?? publishingFailed }
        }
        script.run(on: worker.redis, keys: [worker.keys.stream, worker.keys.totals]) { command in
            command.append(QueueKeys.group)
            for ending in endings { command.append(ending.entry.text) }
        } then: { outcome in
            switch outcome {
            case .reply(let reply):
                // Answered before the script. The batch is sent again, as after a lost connection.
                if let publishingFailed { return handler(.failure(publishingFailed)) }
                guard let ended = reply.integer else { return handler(.failure(.unexpectedReply)) }
                handler(.success(FinishScript.Summary(written: Int(ended), nextDue: nil)))
            case .failed(let error): handler(.failure(error))
            }
        }
    }

    private static func messages(of endings: some Collection<FinishScript.Ending>) -> [Message] {
        var messages: [Message] = []
        for ending in endings {
            guard case .ended(let envelope, .success(let result)) = ending.disposition, let channel = envelope.replyKey
            else { continue }
            // There are as many submitters as there are processes of the API: a search is faster than a dictionary.
            let index = messages.lastIndex { $0.channel == channel && $0.replies.bytes.count < messageBytes }
            if index == nil { messages.append(Message(channel: channel)) }
            messages[index ?? messages.endIndex - 1].replies.append(envelope.id, success: result)
        }
        return messages
    }
}

extension FinishScript.Ending {
    /// Whether the task succeeded and leaves nothing behind.
    var isPlainSuccess: Bool {
        guard case .ended(let envelope, .success) = disposition else { return false }
        return !envelope.isTracked
    }
}
