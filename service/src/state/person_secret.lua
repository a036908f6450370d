-- Gives the secret with which names of people are hidden, and makes it when there is none.
--
-- KEYS  1 generation  2 fence  3 secret
-- ARGV  1 epoch  2 the secret, in case there is none
--
-- Answers {"ok", secret} or {refusal, detail}. A fence holds back only the making.

local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then return {'moved', current or ''} end

local known = redis.call('GET', KEYS[3])
if known then return {'ok', known} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = tonumber(redis.call('HGET', KEYS[2], 'deadline') or '')
if deadline and deadline > now then
  return {'fenced', redis.call('HGET', KEYS[2], 'id') or ''}
end

redis.call('SET', KEYS[3], ARGV[2])
return {'ok', ARGV[2]}
