-- Begins a generation under a fence.
--
-- KEYS  1 fence  2 generations (set of those that were begun, or switched away)  3 catalog of the new one
-- ARGV  1 token of the fence  2 epoch of the new one
--
-- Answers {"ok"} or {"lost"}.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = redis.call('HMGET', KEYS[1], 'token', 'deadline')
if fence[1] ~= ARGV[1] or (tonumber(fence[2] or '') or 0) <= now then return {'lost'} end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[3], 'counter', 0, 'changed_at', now)
redis.call('HSET', KEYS[1], 'filling', ARGV[2])
return {'ok'}
