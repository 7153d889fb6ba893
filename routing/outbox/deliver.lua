-- Brings a group of entries to one stream, each once.
--
-- KEYS[1]  the stream
-- KEYS[2]  the event ids seen, a sorted set scored by the time of arrival in ms; in the same hash slot as the stream
-- ARGV[1]  the chain: the last event id that Redis has confirmed to this sender for this stream, or ''
-- ARGV[2]  the id in the stream of that entry, or ''
-- ARGV[3]  how many entries the stream had been given ever when it was confirmed, or '0'
-- ARGV[4]  for how many ms ids are remembered
-- ARGV[5…] per entry: event id, number of strings that follow, name, value, name, value …
--
-- Returns {1, how many entries were new, how many entries the stream was given ever, id in the stream of each entry …}; the
-- id is '' of an entry that was there before and is not among the newest. Returns {0} when the chain has broken: Redis has
-- lost what it had confirmed (a replica that lagged took over, a snapshot was loaded, the stream was deleted). Nothing is
-- added then; the sender first brings what is lacking, see lacking.lua, so that the lost ones come before the new.
--
-- Time is that of Redis, the one clock which all senders share. A clock that steps makes no id older: they are judged by
-- the time of the newest id, if that is earlier, and one that is set back stands still until it is there again; the newest
-- ten thousand are remembered whatever the clock says. Each call drops at most a few more ids than it adds, so that no
-- call takes long.

local stream, seen = KEYS[1], KEYS[2]
local chain, told, added, remember = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local least = 10000

-- less compares two ids of the stream, milliseconds-sequence.
local function less(a, b)
  local am, as = string.match(a, '^(%d+)-(%d+)$')
  local bm, bs = string.match(b, '^(%d+)-(%d+)$')
  am, bm, as, bs = tonumber(am), tonumber(bm), tonumber(as), tonumber(bs)
  return am < bm or am == bm and as < bs
end

-- about says what Redis knows of the stream as a whole. The user may be without the right to ask, and old versions know less.
local function about()
  local info, known = redis.pcall('XINFO', 'STREAM', stream), {}
  if info.err then
    if string.find(info.err, 'no such key', 1, true) then
      return '0-0', 0
    end
  else
    for i = 1, #info - 1, 2 do
      known[info[i]] = info[i + 1]
    end
  end
  return known['last-generated-id'], tonumber(known['entries-added'])
end

if chain ~= '' then
  local last, ever = about()
  if not redis.call('ZSCORE', seen, chain) or told ~= '' and last and less(last, told) or ever and ever < added then
    return {0}
  end
end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local last = redis.call('ZREVRANGE', seen, 0, 0, 'WITHSCORES')
local newest = tonumber(last[2]) or now
local stamp = string.format('%.0f', (newest > now and newest - now <= remember) and newest or now)

-- found looks for an entry that is there among the newest of the stream: its delivery was answered, and the answer lost.
local tail
local function found(id)
  if not tail then
    tail = {}
    for _, entry in ipairs(redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', 600)) do
      for i = 1, #entry[2] - 1, 2 do
        if entry[2][i] == 'event_id' then
          tail[entry[2][i + 1]] = entry[1]
        end
      end
    end
  end
  return tail[id] or ''
end

local answer, fresh, count, at = {1, 0, 0}, 0, 0, 5
while at <= #ARGV do
  local id, strings = ARGV[at], tonumber(ARGV[at + 1])
  -- First append, then remember: should appending fail, the id is not taken for seen.
  if redis.call('ZSCORE', seen, id) then
    redis.call('ZADD', seen, stamp, id) -- somebody still has it
    answer[#answer + 1] = found(id)
  else
    answer[#answer + 1] = redis.call('XADD', stream, '*', unpack(ARGV, at + 2, at + 1 + strings))
    redis.call('ZADD', seen, stamp, id)
    fresh = fresh + 1
  end
  count = count + 1
  at = at + 2 + strings
end

local spare = redis.call('ZCOUNT', seen, '-inf', '+inf') - least
if spare > 0 then
  local before = string.format('(%.0f', math.min(now, newest) - remember)
  local old = redis.call('ZRANGEBYSCORE', seen, '-inf', before, 'LIMIT', 0, math.min(2 * count + 8, spare))
  if #old > 0 then
    redis.call('ZREM', seen, unpack(old))
  end
end

local _, ever = about()
answer[2], answer[3] = fresh, ever or 0
return answer
