-- Puts the new state of a matter on the books.
--
-- KEYS[1]  the matter's hash
-- KEYS[2]  the event ids that it has taken in, a set in the same hash slot
-- ARGV[1]  the version that the new state was made from; '0': there was no such matter
-- ARGV[2]  the event id
-- ARGV[3]  for how many ms both keys stay
-- ARGV[4…] the hash: name, value, name, value …
--
-- Returns 1 when it is done, 0 when the matter has been changed meanwhile: read it again, the event may be on the books.

local hash, seen = KEYS[1], KEYS[2]
if (redis.call('HGET', hash, 'version') or '0') ~= ARGV[1] then
  return 0
end
redis.call('DEL', hash)
redis.call('HSET', hash, 'version', string.format('%.0f', tonumber(ARGV[1]) + 1), unpack(ARGV, 4))
redis.call('SADD', seen, ARGV[2])
redis.call('PEXPIRE', hash, ARGV[3])
redis.call('PEXPIRE', seen, ARGV[3])
return 1
