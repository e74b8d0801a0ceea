/// What the scripts that end tasks have in common.
///
/// Scripts are Swift string literals rather than resource files, so that the program stays one file. All times in them
/// are Redis' own (`TIME`): the clocks of the workers' machines never decide about leases or due times.
///
/// `KEYS`: stream, delayed, dead, totals, kept, kept bytes, …
/// `ARGV`: group, consumer, task prefix, time to live of results in ms, limit of dead letters, …
enum ScriptPrelude {
    static let source = """
        local stream, delayed, dead, totals = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
        local group, consumer, task_prefix = ARGV[1], ARGV[2], ARGV[3]
        local result_ttl, dead_limit = ARGV[4], tonumber(ARGV[5])
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)

        local replies, removed, counts = {}, {}, {}

        local function count(what) counts[what] = (counts[what] or 0) + 1 end

        -- Results for one submitter are gathered, so that it gets one message for the whole batch: see ReplyBatch.
        local function reply(channel, id, outcome)
          if channel == '' then return end
          replies[channel] = replies[channel] or {}
          table.insert(replies[channel], id .. #outcome .. ' ' .. outcome)
        end

        -- A state that has expired stays gone.
        local function set_state(id, ttl, ...)
          local key = task_prefix .. id
          if redis.call('EXISTS', key) == 0 then return end
          redis.pcall('HSET', key, ...)
          if not ttl then return end
          redis.call('PEXPIRE', key, ttl)
          local reserved = redis.pcall('HGET', KEYS[6], id)
          if type(reserved) == 'string' then
            local bytes = redis.call('HSTRLEN', key, 'outcome') + \(TaskQueueConfiguration.stateBytes)
            redis.pcall('HINCRBY', KEYS[6], 'total', bytes - reserved)
            redis.pcall('HSET', KEYS[6], id, bytes)
            redis.pcall('ZADD', KEYS[5], now + ttl, id)
          end
        end

        local function bury(entry, envelope, outcome, attempts)
          if redis.call('XLEN', dead) >= dead_limit then count('dead_dropped') end
          redis.call('XADD', dead, 'MAXLEN', dead_limit, '*',
            'e', envelope, 'outcome', outcome, 'attempts', attempts, 'entry', entry)
        end

        -- XACK does not delete and XDEL does not acknowledge: an entry that has ended needs both.
        local function remove(entry) removed[#removed + 1] = entry end

        local function next_due()
          local first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
          if #first == 0 then return -1 end
          return math.max(0, tonumber(first[2]) - now)
        end

        -- Lua's stack takes a few thousand values at most, hence the slices. What comes from an envelope must not stop
        -- the script half way, hence `pcall`.
        local function write_all()
          for channel, batch in pairs(replies) do redis.pcall('PUBLISH', channel, table.concat(batch)) end
          for first = 1, #removed, 1000 do
            redis.call('XDEL', stream, unpack(removed, first, math.min(first + 999, #removed)))
          end
          for what, n in pairs(counts) do redis.pcall('HINCRBY', totals, what, n) end
        end

        """
}
