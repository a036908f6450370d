-- Names the generation that is kept in the fence, so that it may be gone back to.
--
-- KEYS  1 fence  2 kept
-- ARGV  1 token of the fence  2 epoch
--
-- Answers {"ok"}, also for the generation that is filled under the fence already; {"lost"} or {"none"}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = redis.call('HMGET', KEYS[1], 'token', 'deadline', 'filling')
if fence[1] ~= ARGV[1] or (tonumber(fence[2] or '') or 0) <= now then return {'lost'} end
if fence[3] == ARGV[2] then return {'ok'} end
local kept = redis.call('HMGET', KEYS[2], 'epoch', 'until')
if kept[1] ~= ARGV[2] or (tonumber(kept[2] or '') or 0) <= now then return {'none'} end
redis.call('HSET', KEYS[1], 'filling', ARGV[2])
return {'ok'}
