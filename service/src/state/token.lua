-- Makes or revokes the token of a dealership in one step, or refuses it and changes nothing.
--
-- KEYS  1 generation  2 fence  3 dealerships (hash: id -> record)
--       4 tokens (hash: id -> SHA-256 of the dealership's token)
--       5 remembers the request, when the last argument is there
-- ARGV  1 epoch  2 id of the dealership  3 SHA-256 in hexadecimal, or empty to revoke
--       4 for how many milliseconds the request is remembered
--
-- Answers {"ok"}, {"unknown"} when there is no such dealership, {"used"} when the request is remembered
-- already, or {refusal, detail}.

local generation, fence, dealerships, tokens = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local once = KEYS[5]
local epoch, id, digest, remembered_for = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local current = redis.call('GET', generation)
if current ~= epoch then return {'moved', current or ''} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = tonumber(redis.call('HGET', fence, 'deadline') or '')
if deadline and deadline > now then
  return {'fenced', redis.call('HGET', fence, 'id') or ''}
end

if remembered_for and redis.call('EXISTS', once) == 1 then return {'used'} end
if redis.call('HEXISTS', dealerships, id) == 0 then return {'unknown'} end
if digest == '' then
  redis.call('HDEL', tokens, id)
else
  redis.call('HSET', tokens, id, digest)
end
if remembered_for then redis.call('SET', once, 'token', 'PX', remembered_for) end
return {'ok'}
