-- Adds to the sums of a line, once.
--
-- KEYS[1]  the sums of the day, a hash
-- KEYS[2]  the sums of the hour
-- KEYS[3]  the ids that have been counted, a sorted set by the time in ms; all three in one hash slot
-- ARGV[1]  the id
-- ARGV[2]  for how many ms ids are remembered
-- ARGV[3]  for how many ms the day stays
-- ARGV[4]  for how many ms the hour stays
-- ARGV[5…] name, number, name, number …
--
-- Returns 1 when it has counted, 0 when that had been done before.

local day, hour, seen, id = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
if redis.call('ZSCORE', seen, id) then
  return 0
end
for i = 5, #ARGV, 2 do
  redis.call('HINCRBY', day, ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', hour, ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', day, ARGV[3])
redis.call('PEXPIRE', hour, ARGV[4])

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
redis.call('ZADD', seen, string.format('%.0f', now), id)
redis.call('PEXPIRE', seen, ARGV[2])
local old = redis.call('ZRANGEBYSCORE', seen, '-inf', string.format('(%.0f', now - tonumber(ARGV[2])), 'LIMIT', 0, 10)
if #old > 0 then
  redis.call('ZREM', seen, unpack(old))
end
return 1
