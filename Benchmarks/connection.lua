-- wrk asks the one URL that it is given, on connections that stay, or with `-H "Connection: close"` on new ones:
--   wrk -t1 -c64 -d10s -s connection.lua https://127.0.0.1:8443/health
-- The last line of the output is JSON, for Benchmarks/run.

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")
