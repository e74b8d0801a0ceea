internal import Redis

/// What a consumer does in Redis in one step.
enum StreamScripts {
    /// Renews the lease of what a consumer has, takes over what nobody has looked after, and removes consumers that
    /// were left behind.
    ///
    /// KEYS[1]: stream. ARGV: group, consumer, lease in ms, most entries to take, ms after which empty consumers go.
    /// Returns id, number of deliveries and fields of each entry taken.
    static let patrol = RedisScript(
        """
        local stream, group, me, lease = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
        local mine = redis.call('XPENDING', stream, group, '-', '+', 10000, me)
        for _, item in ipairs(mine) do redis.call('XCLAIM', stream, group, me, 0, item[1], 'JUSTID') end
        local taken = {}
        local others = {}
        if tonumber(ARGV[4]) > 0 then
          others = redis.call('XPENDING', stream, group, 'IDLE', lease, '-', '+', ARGV[4])
        end
        for _, item in ipairs(others) do
          if item[2] ~= me then
            local found = redis.call('XRANGE', stream, item[1], item[1])[1]
            if found then
              redis.call('XCLAIM', stream, group, me, 0, item[1], 'RETRYCOUNT', item[4] + 1, 'JUSTID')
              taken[#taken + 1] = { item[1], item[4], found[2] }
            else
              -- Trimmed while it was pending: it stays so until somebody acknowledges it.
              redis.call('XACK', stream, group, item[1])
            end
          end
        end
        for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
          local fields = {}
          for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
          if fields.name ~= me and fields.pending == 0 and fields.idle > tonumber(ARGV[5]) then
            redis.call('XGROUP', 'DELCONSUMER', stream, group, fields.name)
          end
        end
        return taken
        """
    )

    /// Moves entries to the dead letters.
    ///
    /// KEYS: stream, dead letters. ARGV: group, most dead letters, then of each: id, attempts, error, count of names
    /// and values, these.
    static let bury = RedisScript(
        """
        local position = 3
        while position <= #ARGV do
          local id, attempts, error, count = unpack(ARGV, position, position + 3)
          position = position + 4
          if redis.call('XACK', KEYS[1], ARGV[1], id) == 1 then
            local fields = { unpack(ARGV, position, position + count - 1) }
            for _, part in ipairs({ 'original_id', id, 'attempts', attempts, 'error', error }) do
              fields[#fields + 1] = part
            end
            redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', unpack(fields))
          end
          position = position + count
        end
        return redis.status_reply('OK')
        """
    )

    /// Gives entries back, to be taken over at once, as if they had not been given to this consumer; and removes the
    /// consumer.
    ///
    /// KEYS[1]: stream. ARGV: group, consumer, lease in ms, then of each: id, failures.
    static let leave = RedisScript(
        """
        for i = 4, #ARGV, 2 do
          local mine = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
          if #mine > 0 then
            redis.call(
              'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
          end
        end
        if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
          redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
        end
        return redis.status_reply('OK')
        """
    )

    /// Makes a group that begins behind a position, or at the start of a stream that is younger than it. Returns 1, or
    /// 0 if there is one.
    ///
    /// KEYS[1]: stream. ARGV: group, milliseconds and number of the position.
    static let makeGroup = RedisScript(
        """
        local start = ARGV[2] .. '-' .. ARGV[3]
        local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
        local last = '0-0'
        if not info.err then
          for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
        end
        local milliseconds, number = string.match(last, '(%d+)-(%d+)')
        milliseconds, number = tonumber(milliseconds), tonumber(number)
        local wanted, wanted_number = tonumber(ARGV[2]), tonumber(ARGV[3])
        if wanted > milliseconds or (wanted == milliseconds and wanted_number > number) then start = '0-0' end
        local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], start, 'MKSTREAM')
        if made.err then
          if string.find(made.err, 'BUSYGROUP') then return 0 end
          return made
        end
        return 1
        """
    )
}
