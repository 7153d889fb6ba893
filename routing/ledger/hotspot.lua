-- Notes a report about a place or by a person, and says for which windows it is to be raised.
--
-- KEYS[1]  the reports, a sorted set by their time in ms
-- KEYS[2]  what was raised last: a hash, window → "count time report"; in the same hash slot
-- ARGV[1]  the report: the call
-- ARGV[2]  its time in ms
-- ARGV[3]  for how many ms reports are kept
-- ARGV[4]  how many are kept at most
-- ARGV[5…] windows: name, ms, from how many reports on
--
-- Returns name, count, time of the report, name … A window is raised when it comes to its number, again when that has doubled, and anew
-- when the last time is longer ago than the window. The report that has raised it is given the same answer every time, so
-- that whoever died before it was told of can tell it again. Times are those of the switches: one report whose clock had
-- stepped takes no other away, and keeps nothing from being raised.

local reports, raised, who, at = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2])
local newest = redis.call('ZREVRANGE', reports, 0, 0, 'WITHSCORES')
local before = math.min(at, tonumber(newest[2]) or at) - tonumber(ARGV[3])
redis.call('ZADD', reports, 'NX', ARGV[2], who)
redis.call('ZREMRANGEBYSCORE', reports, '-inf', string.format('(%.0f', before))
redis.call('ZREMRANGEBYRANK', reports, 0, -tonumber(ARGV[4]) - 1)
redis.call('PEXPIRE', reports, ARGV[3])

local answer = {}
for i = 5, #ARGV, 3 do
  local name, span, from = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local count = redis.call('ZCOUNT', reports, string.format('(%.0f', at - span), ARGV[2])
  local last = redis.call('HGET', raised, name)
  local lastCount, lastAt, by = string.match(last or '', '^(%d+) (%d+) (.*)$')
  if by == who then
    answer[#answer + 1] = name
    answer[#answer + 1] = lastCount
    answer[#answer + 1] = lastAt
  elseif count >= from and (not by or math.abs(at - tonumber(lastAt)) >= span or count >= 2 * tonumber(lastCount)) then
    redis.call('HSET', raised, name, string.format('%d %s %s', count, ARGV[2], who))
    answer[#answer + 1] = name
    answer[#answer + 1] = tostring(count)
    answer[#answer + 1] = ARGV[2]
  end
end
redis.call('PEXPIRE', raised, ARGV[3])
return answer
