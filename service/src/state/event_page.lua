-- Reads events of a day as at one moment, newest first; those of one millisecond by id, backwards.
--
-- KEYS  1 times (sorted set: id by milliseconds)  2 events (hash: id -> JSON)
-- ARGV  1 and 2 milliseconds and id before which to begin, or both empty  3 how many at most
--
-- Answers, for each, its id, its milliseconds and its JSON.

local at, before, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local found = {}
local function take(ids)
  for index = 1, #ids, 2 do
    local id = ids[index]
    if #found < 3 * most and not (ids[index + 1] == at and id >= before) then
      found[#found + 1] = id
      found[#found + 1] = ids[index + 1]
      found[#found + 1] = redis.call('HGET', KEYS[2], id) or ''
    end
  end
end

if at == '' then
  take(redis.call('ZREVRANGE', KEYS[1], 0, most - 1, 'WITHSCORES'))
else
  take(redis.call('ZREVRANGEBYSCORE', KEYS[1], at, at, 'WITHSCORES'))
  take(redis.call('ZREVRANGEBYSCORE', KEYS[1], '(' .. at, '-inf', 'WITHSCORES', 'LIMIT', 0, most))
end
return found
