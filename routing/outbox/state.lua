-- Asks whether a stream still holds what was confirmed, and how safely its server keeps it.
--
-- KEYS[1]  the stream
-- KEYS[2]  the event ids seen, see deliver.lua
-- ARGV[1]  the chain, as there
-- ARGV[2]  the id in the stream of that entry, or ''
-- ARGV[3]  how many entries the stream had been given ever, or '0'
-- ARGV[4]  '1': write something, so that WAIT and WAITAOF on this connection speak of all that was written before
--
-- Returns {1, or 0 when the chain has broken, INFO's sections server, replication, persistence and memory}; a section is ''
-- when the user may not ask.

local stream, seen, chain, told, added = KEYS[1], KEYS[2], ARGV[1], ARGV[2], tonumber(ARGV[3])

local whole = 1
if chain ~= '' then
  local score = redis.call('ZSCORE', seen, chain)
  local info = redis.pcall('XINFO', 'STREAM', stream)
  if not score then
    whole = 0
  elseif not info.err then
    local known = {}
    for i = 1, #info - 1, 2 do
      known[info[i]] = info[i + 1]
    end
    local last, ever = known['last-generated-id'], tonumber(known['entries-added'])
    if ever and ever < added then
      whole = 0
    elseif last and told ~= '' then
      local lm, ls = string.match(last, '^(%d+)-(%d+)$')
      local tm, ts = string.match(told, '^(%d+)-(%d+)$')
      lm, ls, tm, ts = tonumber(lm), tonumber(ls), tonumber(tm), tonumber(ts)
      if lm < tm or lm == tm and ls < ts then
        whole = 0
      end
    end
  elseif string.find(info.err, 'no such key', 1, true) then
    whole = 0
  end
  if whole == 1 and ARGV[4] == '1' then
    redis.call('ZADD', seen, string.format('%.0f', tonumber(score) + 1), chain)
  end
end

local answer = {whole}
for _, section in ipairs({'server', 'replication', 'persistence', 'memory'}) do
  local text = redis.pcall('INFO', section)
  answer[#answer + 1] = type(text) == 'string' and text or ''
end
return answer
