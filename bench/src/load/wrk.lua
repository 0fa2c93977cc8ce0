-- The requests of `wrk`, and its report.
-- Arguments: the file with the body, and the file with the paths, one per line.

function init(args)
   local file = assert(io.open(args[1], "rb"))
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/json"
   wrk.body = file:read("*a")
   file:close()

   local requests = {}
   for path in io.lines(args[2]) do
      requests[#requests + 1] = wrk.format(nil, path)
   end
   -- With one path `wrk` is faster without a callback.
   if #requests > 1 then
      local last = 0
      request = function()
         last = last % #requests + 1
         return requests[last]
      end
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   local line = '\nreport {"requests": %d, "bytes": %.0f, "duration_us": %.0f, '
      .. '"p50_us": %.0f, "p90_us": %.0f, "p99_us": %.0f, "max_us": %.0f, '
      .. '"errors": {"no connection": %d, "broken read": %d, "broken write": %d, '
      .. '"error status": %d, "timeout": %d}}\n'
   io.write(line:format(
      summary.requests, summary.bytes, summary.duration,
      latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max,
      errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
