-- wrk searches conversations of the set that etc/make-sample-conversations makes:
--   wrk -t1 -c1 -d10s -s conversations.lua http://127.0.0.1:8080 -- COMPANIES QUERY SEED
-- In QUERY, a company's name and two tags stand for COMPANY and TAGS, other ones each time. The last line of the output
-- is JSON, for Benchmarks/run.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

-- As the maker of the set has them.
local founders = { "Alder", "Birch", "Cedar", "Dorn", "Elm", "Fir", "Gale", "Hazel", "Ivy", "Juniper", "Kestrel" }
local trades = { "Foods", "Logistics", "Energy", "Textiles", "Software", "Insurance", "Optics" }
local tags = { "competition", "orientation", "pricing", "hiring", "regulation", "supply%20chain", "research", "culture" }

local companies, query

function init(args)
  companies, query = tonumber(args[1]), args[2]
  math.randomseed(tonumber(args[3]))
end

function request()
  local company = math.random(3, companies - 1)
  local name = founders[company % #founders + 1] .. "%20" .. trades[company % #trades + 1] .. "%20" .. company
  local first = math.random(#tags)
  local second = (first + math.random(#tags - 1) - 1) % #tags + 1
  local target = query:gsub("COMPANY", (name:gsub("%%", "%%%%")))
  target = target:gsub("TAGS", ((tags[first] .. "," .. tags[second]):gsub("%%", "%%%%")))
  return wrk.format("GET", "/api/conversations?" .. target)
end
