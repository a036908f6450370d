-- Erases events of a person, and notes it in the ledger. Follows write_check.lua and event_indexes.lua.
--
-- ARGV  3 name of the person's index  4 entry of the ledger  5 how many events to erase at most
--
-- Answers {"ok", how many are gone, 1 when there are more, when}.

-- First of all: whatever becomes of this, a restore erases what an older backup has of the person.
redis.call('HSET', ledger, ARGV[4], now)
local gone = 0
for _, place in ipairs(redis.call('SPOP', person_key(ARGV[3]), ARGV[5])) do
  local day, id = string.match(place, '^([^/]+)/(.+)$')
  if day then gone = gone + remove(day, id) end
end
local more = redis.call('EXISTS', person_key(ARGV[3]))
return {'ok', tostring(gone), tostring(more), tostring(now)}
