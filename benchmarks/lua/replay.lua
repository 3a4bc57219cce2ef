-- Sends prepared requests in turn: wrk -s replay.lua URL -- FILE START NUMBER
--
-- FILE holds, one after the other: the length of a request in decimal, a line feed, the request's
-- bytes. START is the request to begin with. A run of ten @ in a request stands for a number of ten
-- digits that rises with each request, from NUMBER on (entities that must be new). When the run is
-- over, one line that starts with "rynek " tells the summary as JSON; latencies are microseconds.

local plain, first, last = {}, {}, {}
local at, number, count = 0, 0, 0

local function read(path)
  local file = assert(io.open(path, "rb"))
  while true do
    local length = file:read("*l")
    if not length then break end
    count = count + 1
    local request = file:read(tonumber(length))
    local from, to = request:find("@@@@@@@@@@", 1, true)
    if from then
      first[count], last[count] = request:sub(1, from - 1), request:sub(to + 1)
    end
    plain[count] = request
  end
  file:close()
end

function init(args)
  read(args[1])
  at = tonumber(args[2] or 0)
  number = tonumber(args[3] or 0)
end

function request()
  at = at % count + 1
  if first[at] then
    number = number + 1
    return first[at] .. string.format("%010d", number - 1) .. last[at]
  end
  return plain[at]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'rynek {"requests":%d,"duration_us":%d,"bytes":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,' ..
    '"max_us":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max,
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
