-- Takes one switch's changes of a user's phones, each if it is newer than what is there, and answers with all there are.
--
-- KEYS[1]  the user's phones, a hash: what makes a phone the same → its fields, one a line, see below
-- ARGV[1]  the channel on which other switches are told that the user has changed, and
-- ARGV[2]  what they are told
-- ARGV[3…] per change: key of the phone, Call-ID and CSeq of its REGISTER, 1 when it answers no more, switch, ms since the
--          REGISTER, ms until it ends, the way to it
--
-- Returns the same eight of each phone there is, one after the other. Only these ages and times left leave the script: no
-- switch has to have the clock of Redis. A REGISTER that is of the future is of a time before that clock was set back, and
-- old.

local most = 32 -- phones of a user that are kept, with those that answer no more

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function read(text)
  local born, ends, cseq, gone, callid, node, way =
    string.match(text, '^1\n(%d+)\n(%d+)\n(%d+)\n([01])\n([^\n]*)\n([^\n]*)\n(.*)$')
  return born and {born = tonumber(born), ends = tonumber(ends), cseq = tonumber(cseq), gone = gone, callid = callid,
    node = node, way = way}
end

local function after(a, b)
  if a.callid == b.callid then
    return a.cseq > b.cseq or a.cseq == b.cseq and a.gone > b.gone
  end
  return a.born > b.born or b.born > now
end

local all, count, raw = {}, 0, redis.call('HGETALL', KEYS[1])
for i = 1, #raw, 2 do
  local one = read(raw[i + 1])
  if one and one.ends > now then
    all[raw[i]], count = one, count + 1
  elseif #ARGV > 2 then
    redis.call('HDEL', KEYS[1], raw[i])
  end
end

local changed = false
for i = 3, #ARGV, 8 do
  local key = ARGV[i]
  local one = {callid = ARGV[i + 1], cseq = tonumber(ARGV[i + 2]), gone = ARGV[i + 3], node = ARGV[i + 4],
    born = math.max(0, now - tonumber(ARGV[i + 5])), ends = now + tonumber(ARGV[i + 6]), way = ARGV[i + 7]}
  if not all[key] or after(one, all[key]) then
    if not all[key] then
      count = count + 1
    end
    all[key], changed = one, true
    redis.call('HSET', KEYS[1], key, string.format('1\n%.0f\n%.0f\n%.0f\n%s\n%s\n%s\n%s', one.born, one.ends, one.cseq,
      one.gone, one.callid, one.node, one.way))
  end
end

while count > most do -- who is gone gives way, then the oldest
  local oldest
  for key, one in pairs(all) do
    local least = oldest and all[oldest]
    if not least or one.gone > least.gone or one.gone == least.gone and one.born < least.born then
      oldest = key
    end
  end
  all[oldest], count = nil, count - 1
  redis.call('HDEL', KEYS[1], oldest)
end

local answer, last = {}, now
for key, one in pairs(all) do
  last = math.max(last, one.ends)
  for _, v in ipairs({key, one.callid, one.cseq, tonumber(one.gone), one.node, math.max(0, now - one.born),
    one.ends - now, one.way}) do
    answer[#answer + 1] = v
  end
end
if changed then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', last - now))
  redis.call('PUBLISH', ARGV[1], ARGV[2])
end
return answer
