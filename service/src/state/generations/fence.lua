-- Raises, renews or lowers the fence that holds writes back.
--
-- KEYS  1 fence (hash: id, token, deadline in ms; filling = the generation that is filled under it)
-- ARGV  1 "raise", "renew" or "lower"  2 id  3 token  4 milliseconds that it lasts
--
-- Answers {"ok", deadline}, {"fenced", by whom} or {"lost"}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = redis.call('HMGET', KEYS[1], 'id', 'token', 'deadline')
local is_up = (tonumber(fence[3] or '') or 0) > now
local is_own = fence[2] == ARGV[3]

if ARGV[1] == 'lower' then
  if is_own then redis.call('DEL', KEYS[1]) end
  return {'ok', '0'}
end
local deadline = string.format('%d', now + ARGV[4])
if ARGV[1] == 'raise' then
  if is_up and fence[1] ~= ARGV[2] then return {'fenced', fence[1] or ''} end
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'id', ARGV[2], 'token', ARGV[3], 'deadline', deadline)
else
  if not (is_up and is_own) then return {'lost'} end
  redis.call('HSET', KEYS[1], 'deadline', deadline)
end
return {'ok', deadline}
