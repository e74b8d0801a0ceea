internal import Redis

/// What a member of a group does in Redis in one step.
enum StreamScripts {
    /// Takes over what nobody has looked after, and removes members that were left behind.
    ///
    /// KEYS: stream. ARGV: group, consumer, idle ms for a take-over, most entries to take, idle ms after which members
    /// that have nothing are removed or ''. Returns id, number of deliveries and fields of each entry taken.
    static let patrol = RedisScript(
        """
        local stream, group, me = KEYS[1], ARGV[1], ARGV[2]
        local all = redis.pcall('XPENDING', stream, group)
        if all.err then return all end
        local taken, idle = {}, {}
        if tonumber(ARGV[4]) > 0 then
          idle = redis.call('XPENDING', stream, group, 'IDLE', ARGV[3], '-', '+', ARGV[4])
        end
        for _, item in ipairs(idle) do
          -- Our own are not lost: we are only slow, or finding them again is under way.
          if item[2] ~= me then
            local found = redis.call('XRANGE', stream, item[1], item[1])[1]
            if found then
              redis.call('XCLAIM', stream, group, me, 0, item[1], 'RETRYCOUNT', item[4] + 1, 'JUSTID')
              for _, part in ipairs({ item[1], item[4] + 1, found[2] }) do taken[#taken + 1] = part end
            else
              -- Deleted entries stay pending until somebody acknowledges them.
              redis.call('XACK', stream, group, item[1])
            end
          end
        end
        -- A member is made by its first read; those of dead processes stay, and only empty ones may go.
        if ARGV[5] ~= '' then
          for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
            local fields = {}
            for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
            if fields.name ~= me and fields.pending == 0 and fields.idle > tonumber(ARGV[5]) then
              redis.call('XGROUP', 'DELCONSUMER', stream, group, fields.name)
            end
          end
        end
        return taken
        """
    )

    /// Renews leases, of entries that are still the member's own: `XCLAIM … JUSTID` sets the idle time back without
    /// counting a delivery, but would also take an entry away from a member that took it over meanwhile.
    ///
    /// KEYS: stream. ARGV: group, consumer, entries. Returns the entries that are no longer this member's.
    static let renew = RedisScript(
        """
        local lost = {}
        for i = 3, #ARGV do
          local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
          if pending.err or #pending == 0 then
            lost[#lost + 1] = ARGV[i]
          else
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
          end
        end
        return lost
        """
    )

    /// Finds entries that Redis has handed to this member and that never arrived, because the connection broke in
    /// between. No read of the member may be under way, because its batch would be found too.
    ///
    /// KEYS: stream. ARGV: group, consumer, most entries, entries that are known. Returns as `patrol` does.
    static let reclaim = RedisScript(
        """
        local known, found = {}, {}
        for i = 4, #ARGV do known[ARGV[i]] = true end
        local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', ARGV[3], ARGV[2])
        if pending.err then return pending end
        for _, item in ipairs(pending) do
          local entry = item[1]
          if not known[entry] then
            local present = redis.call('XRANGE', KEYS[1], entry, entry)[1]
            if present then
              redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry, 'JUSTID')
              for _, part in ipairs({ entry, item[4], present[2] }) do found[#found + 1] = part end
            else
              redis.call('XACK', KEYS[1], ARGV[1], entry)
            end
          end
        end
        return found
        """
    )

    /// Gives entries back, to be taken over at once, as if they had not been given to this member; and lets it leave
    /// the group, if it has nothing else.
    ///
    /// KEYS: stream. ARGV: group, consumer, whether it leaves, then of each: entry, how often it counts as tried or ''
    /// for once less than it was delivered.
    static let giveBack = RedisScript(
        """
        for i = 4, #ARGV, 2 do
          local mine = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
          if not mine.err and #mine == 1 then
            local tried = ARGV[i + 1] ~= '' and ARGV[i + 1] or math.max(0, mine[1][4] - 1)
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', 86400000, 'RETRYCOUNT', tried, 'JUSTID')
          end
        end
        if ARGV[3] == '1' then
          local rest = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2])
          if not rest.err and #rest == 0 then redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end
        end
        return redis.status_reply('OK')
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
            local notes = { 'attempts', attempts, 'error', error, 'original_id', id }
            for i = 1, count, 2 do
              -- It has one since it was given up before.
              if fields[i] == 'original_id' then notes = { 'attempts', attempts, 'error', error } end
            end
            for _, note in ipairs(notes) do fields[#fields + 1] = note end
            redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], '*', unpack(fields))
          end
          position = position + count
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
