-- wrk places orders, each a new one:
--   wrk -t1 -c64 -d10s -s orders.lua http://127.0.0.1:8080
-- The last line of the output is JSON, for Benchmarks/run.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

function init(args)
  local order = '{"type":"limit","side":"buy","instrument":"DE000A0Q4RZ3","limit_price":150.00,"quantity":10}'
  message = wrk.format("POST", "/orders", { ["Content-Type"] = "application/json" }, order)
end

function request()
  return message
end
