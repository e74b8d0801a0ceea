internal import Redis
internal import Reactor

/// How Redis counts: exactly, in windows that slide, by its own clock.
enum RateScript {
    /// One member for each request that counts, by Redis' clock in microseconds; two in one microsecond are told apart
    /// by their number. A request is counted in all windows or, if one of them is full, in none.
    ///
    /// KEYS: windows. ARGV: for each its most requests and its microseconds. Returns whether the request is allowed,
    /// and for each window how many more may come, the microseconds until there is room for one more, and the member
    /// that stands for this request.
    static let script = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local counts, reply = {}, { 1 }
        for i, key in ipairs(KEYS) do
          redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now - tonumber(ARGV[2 * i])))
          counts[i] = redis.call('ZCARD', key)
          if counts[i] >= tonumber(ARGV[2 * i - 1]) then reply[1] = 0 end
        end
        for i, key in ipairs(KEYS) do
          local limit, window = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
          local full = counts[i] >= limit
          local member = ''
          if reply[1] == 1 then
            local text = string.format('%.0f', now)
            local number = 0
            while redis.call('ZADD', key, 'NX', text, text .. '-' .. number) == 0 do number = number + 1 end
            member = text .. '-' .. number
            counts[i] = counts[i] + 1
            redis.call('PEXPIRE', key, math.ceil(window / 1000))
          end
          local reset = 0
          local place = full and counts[i] - limit or 0
          local oldest = redis.call('ZRANGE', key, place, place, 'WITHSCORES')
          if oldest[2] then reset = tonumber(oldest[2]) + window - now end
          reply[3 * i - 1] = full and -1 or limit - counts[i]
          reply[3 * i] = reset
          reply[3 * i + 1] = member
        end
        return reply
        """
    )

    /// What the script says of each window; nil if it says nothing.
    @ReactorActor
    static func verdicts(_ outcome: borrowing RedisOutcome, count: Int) -> [RateVerdict]? {
        guard case .success(let reply) = outcome.copied(), let parts = reply.array, parts.count == 1 + 3 * count else {
            return nil
        }
        var verdicts: [RateVerdict] = []
        for index in 0..<count {
            guard let remaining = parts[1 + 3 * index].integer, let reset = parts[2 + 3 * index].integer,
                let member = parts[3 + 3 * index].text
            else { return nil }
            verdicts.append(
                RateVerdict(
                    isAllowed: remaining >= 0,
                    remaining: max(0, Int(remaining)),
                    reset: .microseconds(reset),
                    place: member.isEmpty ? nil : .redis(member)
                )
            )
        }
        return verdicts
    }
}
