-- Takes seats for the calls of one switch, gives others back, and renews the switch's lease.
--
-- KEYS[1]  the seats that switches have, a hash: seat → switch
-- KEYS[2]  the lease of this switch: a key of its own, which ends when it is not renewed. Those of the others are named
--          alike, and in the same slot
-- ARGV[1]  this switch    ARGV[2]  how long the lease lasts, ms    ARGV[3]  '1': all seats are to be answered
-- ARGV[4]  the channel on which other switches are told that something has changed
-- ARGV[5]  which process of the switch it is ARGV[6]  the number of this exchange of its
-- ARGV[7]  how many seats follow to be taken; all after them are given back
--
-- Returns seat, switch, seat, switch …: of those that were to be taken, or of all. An exchange that arrives after a later
-- one, when nobody waits for it any more, does nothing.

local me, prefix = ARGV[1], string.sub(KEYS[2], 1, #KEYS[2] - #ARGV[1])
local takes, changed, alive = tonumber(ARGV[7]), false, {}

local process, number = string.match(redis.call('GET', KEYS[2]) or '', '^(%S+) (%d+)$')
if process == ARGV[5] and tonumber(number) > tonumber(ARGV[6]) then
  return {}
end

local function lives(node)
  if alive[node] == nil then
    alive[node] = node == me or redis.call('GET', prefix .. node) ~= false
  end
  return alive[node]
end

redis.call('SET', KEYS[2], ARGV[5] .. ' ' .. ARGV[6], 'PX', ARGV[2])
local answer = {}
for i = 8, #ARGV do
  local seat = ARGV[i]
  local holder = redis.call('HGET', KEYS[1], seat)
  if i - 7 > takes then
    if holder == me then
      redis.call('HDEL', KEYS[1], seat)
      changed = true
    end
  else
    if not holder or holder ~= me and not lives(holder) then
      redis.call('HSET', KEYS[1], seat, me)
      holder, changed = me, true
    end
    answer[#answer + 1], answer[#answer + 2] = seat, holder
  end
end
if ARGV[3] == '1' then
  answer = {}
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if lives(all[i + 1]) then
      answer[#answer + 1], answer[#answer + 2] = all[i], all[i + 1]
    end
  end
end
if changed then
  redis.call('PUBLISH', ARGV[4], me)
end
return answer
