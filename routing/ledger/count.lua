-- Adds to the sums of a line, each count once.
--
-- KEYS[1]   the ids that have been counted, a sorted set by the time in ms
-- KEYS[2…]  sums of days and hours, hashes; all in one hash slot
-- ARGV[1]   for how many ms ids are remembered
-- ARGV[2…]  for how many ms the sums stay, of each key of them
-- then per count: id, position of the day's key and of the hour's among KEYS, number of strings that follow, name, number, …
--
-- Returns how many were counted now. What had been counted before adds nothing.
--
-- A clock of Redis that steps makes no id older, see deliver.lua of package outbox.

local seen, remember = KEYS[1], tonumber(ARGV[1])
local adds, ids, known, at = {}, {}, {}, #KEYS + 1
while at <= #ARGV do
  local id, strings = ARGV[at], tonumber(ARGV[at + 3])
  if not known[id] and not redis.call('ZSCORE', seen, id) then
    known[id] = true
    ids[#ids + 1] = id
    for _, key in ipairs({tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])}) do
      local sums = adds[key] or {}
      adds[key] = sums
      for i = at + 4, at + 2 + strings, 2 do
        sums[ARGV[i]] = (sums[ARGV[i]] or 0) + tonumber(ARGV[i + 1])
      end
    end
  end
  at = at + 4 + strings
end
if #ids == 0 then
  return 0
end

for key, sums in pairs(adds) do
  for name, n in pairs(sums) do
    redis.call('HINCRBY', KEYS[key], name, string.format('%.0f', n))
  end
  redis.call('PEXPIRE', KEYS[key], ARGV[key])
end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local last = redis.call('ZREVRANGE', seen, 0, 0, 'WITHSCORES')
local newest = tonumber(last[2]) or now
local stamp = string.format('%.0f', (newest > now and newest - now <= remember) and newest or now)
for _, id in ipairs(ids) do
  redis.call('ZADD', seen, stamp, id)
end
redis.call('PEXPIRE', seen, ARGV[1])
local before = string.format('(%.0f', math.min(now, newest) - remember)
local old = redis.call('ZRANGEBYSCORE', seen, '-inf', before, 'LIMIT', 0, 2 * #ids + 10)
if #old > 0 then
  redis.call('ZREM', seen, unpack(old))
end
return #ids
