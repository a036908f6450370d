-- Deletes events of the oldest day before a given one. Follows write_check.lua and event_indexes.lua.
--
-- ARGV  3 the first day that stays, yyyy-mm-dd  4 how many events to delete at most
--
-- Answers {"ok", how many are gone, 1 when there may be more}.

local oldest = ARGV[3]
for _, day in ipairs(redis.call('SMEMBERS', days)) do
  if day < oldest then oldest = day end
end
if oldest == ARGV[3] then return {'ok', '0', '0'} end

local gone = 0
local ids = redis.call('ZRANGE', times_key(oldest), 0, ARGV[4] - 1)
for _, id in ipairs(ids) do gone = gone + remove(oldest, id) end
if #ids == 0 then
  -- Nothing by time is left of it: whatever is left otherwise is damage, and must not be met again and again.
  redis.call('UNLINK', events_key(oldest), times_key(oldest))
  redis.call('SREM', days, oldest)
end
return {'ok', tostring(gone), '1'}
