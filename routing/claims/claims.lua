-- One switch tells what its calls have, want and wait for, and how desks stand; and renews its lease.
--
-- KEYS[1]  the seats that switches have, a hash: seat → switch
-- KEYS[2]  the lease of this switch: a key of its own, which ends when it is not renewed. Those of the others are named
--          alike, and in the same slot
-- KEYS[3]  the calls that wait, a hash: call → JSON {node, line, came, since, tried}: ms by the clocks of Redis and of
--          the switch
-- KEYS[4]  a hash: seat → JSON {switch → {till, passed}}: it is kept for the calls there, or not for them
-- KEYS[5]  what is known of desks, a hash: what it is about → JSON {word, since, over, till, by};
--          '' → which hash it is, 'lost' → ms, when it was found that this one has begun anew
-- KEYS[6]  the same, a sorted set: what it is about → the number of its last change
-- ARGV[1]  JSON, see request in machine.go
--
-- Returns JSON, see reply there. Only ages and times left come in and go out: no switch has to have the clock of Redis.
-- An exchange that arrives after a later one, when nobody waits for it any more, does nothing.

local held, lease, waits, kept, words, changes = unpack(KEYS)
local req = cjson.decode(ARGV[1])
local me, prefix = req.node, string.sub(lease, 1, #lease - #req.node)
local changed, alive, reply = false, {}, {}

local process, number = string.match(redis.call('GET', lease) or '', '^(%S+) (%d+)$')
if process == req.process and tonumber(number) > req.number then
  return '{}'
end
redis.call('SET', lease, string.format('%s %.0f', req.process, req.number), 'PX', req.lease)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function lives(node)
  if alive[node] == nil then
    alive[node] = node == me or redis.call('GET', prefix .. node) ~= false
  end
  return alive[node]
end

-- ms as JSON has them: cjson would write a large one with an exponent.
local function whole(n) return string.format('%.0f', n) end

-- Which of the hashes this is, and when it began. For half a lease there is no word then about what a call asks for, as
-- switches that have it may yet have to say so; and for a lease from when the first comes that has known another hash.
local epoch = redis.call('HGET', words, '')
if not epoch then
  epoch = req.process .. ' ' .. whole(now)
  redis.call('HSET', words, '', epoch)
end
local lost = tonumber(redis.call('HGET', words, 'lost') or '')
if not lost and (req.epoch or '') ~= '' and req.epoch ~= epoch then
  lost = now
  redis.call('HSET', words, 'lost', whole(now))
end
local begun = tonumber(string.match(epoch, ' (%d+)$') or '')
lost = lost and lost <= now and now < lost + req.lease or begun and begun <= now and now < begun + req.lease / 2

local places -- call → what is known of it
local function entries()
  if not places then
    places = {}
    local raw = redis.call('HGETALL', waits)
    for i = 1, #raw, 2 do
      local w = cjson.decode(raw[i + 1])
      w.call, w.came, places[raw[i]] = raw[i], tonumber(w.came), w
    end
  end
  return places
end

-- came is a call's place. It keeps that however often it is told of, unless Redis' clock has been set back since.
local function came(call, age)
  local had = entries()[call]
  return had and had.node == me and had.came <= now - age + 2000 and had.came or now - age
end

local ours = {} -- line → what waits here, by since
local function queue(line)
  local list = ours[line]
  if not list then
    list = {}
    for _, w in pairs(entries()) do
      if w.node == me and w.line == line then
        list[#list + 1] = w
      end
    end
    table.sort(list, function(a, b) return a.since < b.since end)
    ours[line] = list
  end
  return list
end

for _, call in ipairs(req.leave or {}) do
  local had = redis.call('HGET', waits, call)
  if had and cjson.decode(had).node == me then
    redis.call('HDEL', waits, call)
    changed = true
  end
end
for _, w in ipairs(req.wait or {}) do
  local at, list, had = came(w.call, w.age), queue(w.line), entries()[w.call]
  if had and had.node == me then
    local old = queue(had.line)
    for i = #old, 1, -1 do
      if old[i] == had then
        table.remove(old, i)
      end
    end
  end
  local lo, hi = 1, #list + 1 -- where the first is that has come here later
  while lo < hi do
    local mid = math.floor((lo + hi) / 2)
    if list[mid].since > w.since then
      hi = mid
    else
      lo = mid + 1
    end
  end
  -- what was late on its way here is as before or behind the others as it is there
  local before, after, i = nil, nil, lo
  while list[i] and list[i].since == list[lo].since do
    before, i = math.min(before or list[i].came, list[i].came), i + 1
  end
  i = lo - 1
  while list[i] and list[i].since == w.since do
    i = i - 1
  end
  local last = list[i]
  while last and list[i] and list[i].since == last.since do
    after, i = math.max(after or list[i].came, list[i].came), i - 1
  end
  at = before and math.min(at, before - 0.001) or at
  at = after and math.max(at, after + 0.001) or at
  local place = {call = w.call, node = me, line = w.line, came = at, since = w.since, tried = w.tried}
  table.insert(list, lo, place)
  places[w.call] = place
  redis.call('HSET', waits, w.call, cjson.encode({node = me, line = w.line, came = string.format('%.3f', at),
    since = w.since, tried = w.tried}))
end
if req.wait then
  redis.call('PEXPIRE', waits, 86400000)
end

local waiting -- the calls that wait at switches that live
local function all()
  if waiting then
    return waiting
  end
  waiting = {}
  for call, w in pairs(entries()) do
    if lives(w.node) then
      waiting[#waiting + 1] = w
    else
      redis.call('HDEL', waits, call)
    end
  end
  return waiting
end

local function among(list, one)
  for _, o in ipairs(list or {}) do
    if o == one then
      return true
    end
  end
  return false
end

local function keeping(seat)
  local had = redis.call('HGET', kept, seat)
  return had and cjson.decode(had) or {}
end

local function keep(seat, list)
  if next(list) then
    redis.call('HSET', kept, seat, cjson.encode(list))
    redis.call('PEXPIRE', kept, 86400000)
  else
    redis.call('HDEL', kept, seat)
  end
end

-- first says that a seat is kept for a call that waits at another switch: for so long, and when it has not been taken
-- by then although that call waits there since, for a while not for those of that switch. at is when the call came that
-- wants it.
local function first(seat, want, at)
  local before, later = {}, false
  for _, w in ipairs(all()) do
    if w.node ~= me and w.line == want.line and (want.last or w.came < at or w.came == at and w.call < want.call)
        and not among(w.tried, seat) then
      before[w.node] = math.min(before[w.node] or w.came, w.came)
    end
  end
  if not next(before) then
    return false
  end
  local list = keeping(seat)
  for node, oldest in pairs(before) do
    local k = list[node]
    if k and k.passed and now < k.till and k.till <= now + req.pass then
      -- its phone is not to be reached from there, or the switch is slow
    elseif k and not k.passed and now < k.till and k.till <= now + req.keep then
      later = true
    elseif k and not k.passed and oldest <= k.till - req.keep and now >= k.till and now < k.till + req.keep then
      list[node] = {till = now + req.pass, passed = true}
    else
      list[node], later = {till = now + req.keep}, true
    end
  end
  if later then
    list[me] = nil -- it would take it
  end
  keep(seat, list)
  return later
end

-- had notes that a seat has been taken: who is first next time is a new question.
local function had(seat)
  local list = keeping(seat)
  if next(list) then
    for node, k in pairs(list) do
      if not k.passed or node == me then
        list[node] = nil
      end
    end
    keep(seat, list)
  end
end

for _, seat in ipairs(req.free or {}) do
  if redis.call('HGET', held, seat) == me then
    redis.call('HDEL', held, seat)
    changed = true
  end
end
local whose, later = {}, {}
for _, t in ipairs(req.take or {}) do
  local holder = redis.call('HGET', held, t.seat)
  if holder and holder ~= me and not lives(holder) then
    holder = false
  end
  if not holder and t.asked and lost then
    -- no word
  elseif not holder and t['for'] and first(t.seat, t['for'], came(t['for'].call, t['for'].age)) then
    later[#later + 1] = t.seat
  elseif not holder then
    redis.call('HSET', held, t.seat, me)
    had(t.seat)
    holder, changed = me, true
  end
  if holder then
    whose[#whose + 1], whose[#whose + 2] = t.seat, holder
  end
end

-- What is said of desks: the latest counts, see Word.counts in words.go. What is of the future was said before Redis'
-- clock was set back, and is old. A process knows what it has said itself, whatever the clock has made of it.
local function counts(since, over, s, had)
  local was, under = tonumber(had.since), tonumber(had.over)
  if was > now then
    return true
  elseif over and not under and had.by ~= req.process and was > over + req.same then
    return false
  elseif under and not over and since > under + req.same then
    return true
  end
  return since > was + (had.word == s.word and req.same or 0)
end

local top = tonumber(redis.call('ZREVRANGE', changes, 0, 0, 'WITHSCORES')[2]) or 0
for _, s in ipairs(req.words or {}) do
  local since, over, had = now - s.age, s.over and now - s.over, redis.call('HGET', words, s.about)
  if not had or counts(since, over, s, cjson.decode(had)) then
    top, changed = top + 1, true
    redis.call('HSET', words, s.about, cjson.encode({word = s.word, since = whole(since),
      over = over and whole(over), till = s.left and whole(now + s.left), by = req.process}))
    redis.call('ZADD', changes, whole(top), s.about)
  end
end

if req.all then
  whose = {}
  local raw = redis.call('HGETALL', held)
  for i = 1, #raw, 2 do
    if lives(raw[i + 1]) then
      whose[#whose + 1], whose[#whose + 2] = raw[i], raw[i + 1]
    end
  end
  local list = {}
  for _, w in ipairs(all()) do
    list[#list + 1] = {call = w.call, node = w.node, line = w.line,
      age = w.node == me and math.floor(now - w.came) or nil}
  end
  reply.waiting = next(list) and list
  redis.call('PEXPIRE', words, 604800000)
  redis.call('PEXPIRE', changes, 604800000)
end
if req.read then
  local said = {}
  local function read(after, many) -- the last change that was read
    local list = redis.call('ZRANGEBYSCORE', changes, '(' .. whole(after), '+inf', 'WITHSCORES', 'LIMIT', 0, many)
    for i = 1, #list, 2 do
      local about, had = list[i], redis.call('HGET', words, list[i])
      had = had and cjson.decode(had)
      if had then
        said[#said + 1] = {about = about, word = had.word, age = now - had.since, over = had.over and now - had.over,
          left = had.till and had.till - now, own = had.by == req.process or nil}
      end
      after = tonumber(list[i + 1])
    end
    return after, #list == 2 * many
  end
  reply.top, reply.more = read(req.epoch == epoch and req.seen <= top and req.seen or 0, req.page)
  if (req.part or 0) > 0 then
    local last, more = read(req.again, math.min(req.part, req.page))
    reply.again = more and last or 0
  else
    reply.again = req.again
  end
  reply.said, reply.epoch = next(said) and said, epoch
end
if changed then
  redis.call('PUBLISH', req.channel, me)
end
reply.lost = lost or nil
reply.whose, reply.later = next(whose) and whose, next(later) and later
return cjson.encode(reply)
