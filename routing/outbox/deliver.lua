-- Brings a group of entries to one stream, each once.
--
-- KEYS[1]  the stream
-- KEYS[2]  the event ids seen, a sorted set scored by the time of arrival in ms; in the same hash slot as the stream
-- ARGV[1]  the chain: the last event id that Redis has confirmed to this sender for this stream, or ''
-- ARGV[2]  for how many ms ids are remembered
-- ARGV[3…] per entry: event id, number of strings that follow, name, value, name, value …
--
-- Returns how many entries were new, or -1 when the chain has broken: Redis has lost what it had confirmed (a replica
-- that lagged took over, an append-only file lost its last second). Nothing is added then; the sender starts again
-- from the oldest entry that it still keeps, so that the lost ones come before the new.
--
-- Time is that of Redis, the one clock which all senders share. A repeated delivery follows the first within seconds,
-- or when a switch that was killed starts again; ids are remembered for days. A clock that steps makes none of them older:
-- they are judged by the time of the newest id, if that is earlier, and one that is set back stands still until it is
-- there again. Each call drops at most a few more ids than it adds, so that no call takes long.

local stream, seen = KEYS[1], KEYS[2]
local chain, remember = ARGV[1], tonumber(ARGV[2])

if chain ~= '' and not redis.call('ZSCORE', seen, chain) then
  return -1
end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local last = redis.call('ZREVRANGE', seen, 0, 0, 'WITHSCORES')
local newest = tonumber(last[2]) or now
local stamp = string.format('%.0f', (newest > now and newest - now <= remember) and newest or now)
local fresh, count, at = 0, 0, 3
while at <= #ARGV do
  local id, strings = ARGV[at], tonumber(ARGV[at + 1])
  -- First append, then remember: should appending fail, the id is not taken for seen.
  if not redis.call('ZSCORE', seen, id) then
    redis.call('XADD', stream, '*', unpack(ARGV, at + 2, at + 1 + strings))
    redis.call('ZADD', seen, stamp, id)
    fresh = fresh + 1
  end
  count = count + 1
  at = at + 2 + strings
end

local before = string.format('(%.0f', math.min(now, newest) - remember)
local old = redis.call('ZRANGEBYSCORE', seen, '-inf', before, 'LIMIT', 0, 2 * count + 8)
if #old > 0 then
  redis.call('ZREM', seen, unpack(old))
end
return fresh
