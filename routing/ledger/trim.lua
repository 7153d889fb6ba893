-- Takes the oldest entries off a stream, at most a thousand a call, and none that a named group has yet to acknowledge.
--
-- KEYS[1]  the stream
-- ARGV[1]  entries older than this id may go; '0': none for their age
-- ARGV[2]  of more entries than this the oldest may go; '0': none for their number
-- ARGV[3]  how old entries may get, in ms; '0': any age
-- ARGV[4…] the groups that matter
--
-- Returns how many have gone, and the name of a group without which more would have, or ''.

local stream, age, most, keep = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])

-- less compares two entry ids, milliseconds-sequence.
local function less(a, b)
  local am, as = string.match(a, '^(%d+)-?(%d*)$')
  local bm, bs = string.match(b, '^(%d+)-?(%d*)$')
  am, bm, as, bs = tonumber(am), tonumber(bm), tonumber(as) or 0, tonumber(bs) or 0
  return am < bm or am == bm and as < bs
end

local length = redis.call('XLEN', stream)
if length == 0 then
  return {0, ''}
end

-- The id below which policy lets entries go. One entry stays in any case. Age is counted from the newest entry, if that is
-- earlier: a clock that steps makes none of them older.
local upto = age
if keep > 0 then
  local newest = redis.pcall('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  if newest[1] then -- older users have no right to ask
    local ms = string.match(newest[1][1], '^(%d+)-')
    local from = string.format('%.0f', math.max(tonumber(ms) - keep, 0))
    if less(from, upto) then
      upto = from
    end
  end
end
local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1001)
if most > 0 and length > most then
  local first = oldest[math.min(length - most, #oldest - 1) + 1][1]
  if less(upto, first) then
    upto = first
  end
end
if less(oldest[#oldest][1], upto) then
  upto = oldest[#oldest][1]
end
if not less(oldest[1][1], upto) then
  return {0, ''}
end

local groups = {}
for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
  local about = {}
  for i = 1, #group, 2 do
    about[group[i]] = group[i + 1]
  end
  groups[about['name']] = about['last-delivered-id']
end

local holder = ''
for i = 4, #ARGV do
  local reached = groups[ARGV[i]] or '0-0' -- a group that does not exist yet has read nothing
  if reached ~= '0-0' then
    local pending = redis.call('XPENDING', stream, ARGV[i])
    if pending[1] > 0 then
      reached = pending[2]
    end
  end
  if less(reached, upto) then
    upto, holder = reached, ARGV[i]
  end
end
if not less(oldest[1][1], upto) then
  return {0, holder}
end
return {redis.call('XTRIM', stream, 'MINID', upto), holder}
