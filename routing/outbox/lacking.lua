-- Says which of some entries a stream lacks although Redis had confirmed them, and forgets that it has seen those.
--
-- KEYS[1]  the stream
-- KEYS[2]  the event ids seen, see deliver.lua
-- ARGV[1]  the id in the stream of the newest entry that was confirmed, or ''
-- ARGV[2]  how many entries the stream had been given ever by then, or '0'
-- ARGV[3]  '1': the stream is known to be another one, or an older state of it
-- ARGV[4]  for how many ms ids are remembered
-- ARGV[5]  entries confirmed before this time in ms may have been forgotten since, and are not missed
-- ARGV[6…] per entry: event id, its id in the stream, or ''
--
-- Returns {'1' when the stream is another one, entries that it was given ever, position of each that is lacking …}, the
-- first entry being 1.
--
-- An entry that was seen is there, unless the stream itself says otherwise: its newest id is lower than the entry's, or it
-- went back altogether. Then, and when it was not seen, it is looked for. Entries that a reader has deleted or the ledger
-- has trimmed are no loss: their ids are among those seen.

local stream, seen = KEYS[1], KEYS[2]
local told, added, back, remember, before = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4]), tonumber(ARGV[5])

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function less(a, b)
  local am, as = parts(a)
  local bm, bs = parts(b)
  return am < bm or am == bm and as < bs
end

local info, known = redis.pcall('XINFO', 'STREAM', stream), {}
if not info.err then
  for i = 1, #info - 1, 2 do
    known[info[i]] = info[i + 1]
  end
elseif string.find(info.err, 'no such key', 1, true) then
  known['last-generated-id'], known['entries-added'] = '0-0', 0
end
local last, ever = known['last-generated-id'], tonumber(known['entries-added'])
if told ~= '' and last and less(last, told) or ever and ever < added then
  back = true
end

local function there(id, at)
  if at == '' then
    return false
  end
  for _, entry in ipairs(redis.call('XRANGE', stream, at, at)) do
    for i = 1, #entry[2] - 1, 2 do
      if entry[2][i] == 'event_id' and entry[2][i + 1] == id then
        return true
      end
    end
  end
  return false
end

local clock = redis.call('TIME')
local now = string.format('%.0f', tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000))

local answer = {back and '1' or '', ever or 0}
for i = 6, #ARGV, 2 do
  local id, at = ARGV[i], ARGV[i + 1]
  local score = redis.call('ZSCORE', seen, id)
  local gone = back or at ~= '' and last and less(last, at)
  if not (score and not gone) then
    if there(id, at) then
      if not score then
        redis.call('ZADD', seen, now, id)
      end
    elseif gone or at == '' or not last or parts(at) >= before or parts(last) - parts(at) <= remember then
      redis.call('ZREM', seen, id)
      answer[#answer + 1] = (i - 6) / 2 + 1
    elseif not score then
      redis.call('ZADD', seen, now, id)
    end
  end
end
return answer
