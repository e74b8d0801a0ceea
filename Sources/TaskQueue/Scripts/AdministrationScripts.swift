internal import Redis

/// What operators' questions and orders are in Redis.
enum AdministrationScripts {
    /// KEYS: stream, delayed, dead, paused, totals. ARGV: group.
    /// Returns length, pending, delayed, dead, paused, age of the oldest entry in ms or -1, consumers, totals.
    static let statistics = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
        local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
        local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
        local age = oldest and math.max(0, now - tonumber(string.match(oldest[1], '^%d+'))) or -1
        return {
          redis.call('XLEN', KEYS[1]), pending.err and 0 or pending[1], redis.call('ZCARD', KEYS[2]),
          redis.call('XLEN', KEYS[3]), redis.call('EXISTS', KEYS[4]), age,
          consumers.err and {} or consumers, redis.call('HGETALL', KEYS[5]),
        }
        """
    )

    /// Defines the rows of ``list`` and ``find``: envelope, state, consumer, idle or time until due in ms, deliveries.
    private static let rows = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local tasks = {}
        local function held(item)
          local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], item[1], item[1], 1)
          if pending.err or #pending == 0 then
            tasks[#tasks + 1] = { item[2][2], 'queued', '', 0, 0 }
          else
            tasks[#tasks + 1] = { item[2][2], 'running', pending[1][2], pending[1][3], pending[1][4] }
          end
        end
        local function delayed(envelope, due)
          tasks[#tasks + 1] = { envelope, 'delayed', '', math.max(0, tonumber(due) - now), 0 }
        end

        """

    /// KEYS: stream, delayed. ARGV: group, limit. Returns rows.
    static let list = RedisScript(
        rows + """
            for _, item in ipairs(redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[2])) do held(item) end
            local later = redis.call('ZRANGE', KEYS[2], 0, ARGV[2] - 1, 'WITHSCORES')
            for i = 1, #later, 2 do delayed(later[i], later[i + 1]) end
            return tasks
            """
    )

    /// KEYS: stream, delayed. ARGV: group, a task's id. Returns the rows that hold it. Looks at no more than the
    /// queue's depth limit lets in, a thousand at a time.
    static let find = RedisScript(
        rows + """
            local from = '-'
            while true do
              local page = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1000)
              for _, item in ipairs(page) do
                if string.find(item[2][2], ARGV[2], 1, true) then held(item) end
              end
              if #page < 1000 then break end
              from = '(' .. page[#page][1]
            end
            local later = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
            for i = 1, #later, 2 do
              if string.find(later[i], ARGV[2], 1, true) then delayed(later[i], later[i + 1]) end
            end
            return tasks
            """
    )

    /// KEYS: paused. ARGV: channel, message. Returns 1, or 0 when it was paused already.
    static let pause = RedisScript(
        """
        local time = redis.call('TIME')
        local was_set = redis.call('SET', KEYS[1], time[1], 'NX')
        redis.call('PUBLISH', ARGV[1], ARGV[2])
        return was_set and 1 or 0
        """
    )

    /// KEYS: paused. ARGV: channel, message. Returns 1, or 0 when it was not paused.
    static let resume = RedisScript(
        """
        local count = redis.call('DEL', KEYS[1])
        redis.call('PUBLISH', ARGV[1], ARGV[2])
        return count
        """
    )

    /// KEYS: dead, stream, delayed. ARGV: entry, envelope, depth limit, key of the task's state or ''.
    /// Returns 1, 0 when somebody else was faster, -1 when there is no room.
    static let replay = RedisScript(
        """
        if redis.call('XLEN', KEYS[2]) + redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[3]) then return -1 end
        if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
        redis.call('XADD', KEYS[2], '*', 'e', ARGV[2])
        if ARGV[4] ~= '' and redis.call('EXISTS', ARGV[4]) == 1 then
          redis.call('HSET', ARGV[4], 'status', 'queued', 'attempt', 1)
        end
        return 1
        """
    )
}
