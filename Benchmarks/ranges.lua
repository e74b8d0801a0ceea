-- wrk asks GET /prices/average for random ranges of days:
--   wrk -t1 -c64 -d10s -s ranges.lua http://127.0.0.1:8080 -- [FIRST LAST SHORTEST LONGEST SEED]
-- FIRST and LAST bound the days that are asked for, SHORTEST and LONGEST the length of a range in days. Equal seeds make
-- equal sequences; each thread has its own. The last line of the output is JSON, for Benchmarks/run.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

local DAY = 86400
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  local first, last = args[1] or "2025-01-01", args[2] or "2025-12-31"
  shortest, longest = tonumber(args[3] or 1), tonumber(args[4] or 30)
  math.randomseed((tonumber(args[5] or 1)) * 1000 + number)

  -- Every day's text once, so that a request is four strings joined.
  days = {}
  local function noon(text)
    local year, month, day = text:match("^(%d%d%d%d)-(%d%d)-(%d%d)$")
    return os.time({ year = year, month = month, day = day, hour = 12 })
  end
  for time = noon(first), noon(last), DAY do
    days[#days + 1] = os.date("!%Y-%m-%d", time)
  end
  assert(shortest >= 1 and longest >= shortest and longest <= #days, "the ranges do not fit between FIRST and LAST")

  head, tail = wrk.format("GET", "/prices/average?start_date=@"):match("^(.-)@(.*)$")
end

function request()
  local length = math.random(shortest, longest)
  local start = math.random(1, #days - length + 1)
  return head .. days[start] .. "&end_date=" .. days[start + length - 1] .. tail
end
