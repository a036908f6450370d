-- Begins every script that fills a generation: refuses unless the fence is up, with the token of whoever asks, for this
-- very generation. What is filled in must have its ledgers applied before it may be switched to.
--
-- KEYS  1 fence
-- ARGV  1 epoch of what is filled  2 what the names of all its keys begin with  3 token of the fence
--
-- Answers {"ok", ...} or {refusal, detail}.

local root = ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = redis.call('HMGET', KEYS[1], 'token', 'deadline', 'filling')
if fence[1] ~= ARGV[3] or (tonumber(fence[2] or '') or 0) <= now then return {'lost'} end
if fence[3] ~= ARGV[1] or redis.call('EXISTS', root .. 'catalog') == 0 then return {'none'} end
redis.call('HDEL', root .. 'catalog', 'ready')

