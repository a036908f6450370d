-- Begins every script that writes into the current generation what buyers did: refuses in the order in which commit.lua
-- does. What follows it in one text is event_indexes.lua, and then record.lua, erase.lua or forget.lua.
--
-- KEYS  1 generation  2 fence
-- ARGV  1 epoch  2 what the names of all keys of the generation begin with
--
-- Names of keys are made of the prefix and what a stored event says, so they are not in KEYS. All of them lie under
-- the prefix of the access list; a cluster of several nodes is not served.
--
-- Answers {"ok", ...} or {refusal, detail}.

local epoch, root = ARGV[1], ARGV[2]

local current = redis.call('GET', KEYS[1])
if current ~= epoch then return {'moved', current or ''} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = tonumber(redis.call('HGET', KEYS[2], 'deadline') or '')
if deadline and deadline > now then
  return {'fenced', redis.call('HGET', KEYS[2], 'id') or ''}
end

