-- Makes a generation the current one in one step, or refuses and changes nothing.
--
-- KEYS  1 generation  2 fence  3 kept (hash: epoch, until, replaced_at)  4 generations (set)
--       5 catalog of the generation that is switched to
-- ARGV  1 token of the fence  2 epoch to switch to  3 name of the restore
--       4 milliseconds that the generation before is kept  5 channel
--
-- Answers {"ok", counter, changed_at}, {"lost"} or {"unready", why}.

local generation, fence, kept, generations, catalog = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local to = ARGV[2]

-- Done already, and the answer was lost.
local current = redis.call('GET', generation)
local known = redis.call('HMGET', catalog, 'restored_as', 'counter', 'changed_at', 'ready')
if current == to and known[1] == ARGV[3] and known[2] and known[3] then return {'ok', known[2], known[3]} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local raised = redis.call('HMGET', fence, 'token', 'deadline', 'filling')
if raised[1] ~= ARGV[1] or (tonumber(raised[2] or '') or 0) <= now then return {'lost'} end
if raised[3] ~= to then return {'unready', 'it was not filled under this fence'} end
if known[4] ~= ARGV[1] then return {'unready', 'its ledgers were not applied under this fence'} end

-- No version comes twice, so that whoever follows sees each switch, also one back.
local counter = redis.call('HINCRBY', catalog, 'counter', 1)
redis.call('HSET', catalog, 'put_at', counter, 'changed_at', now, 'restored_as', ARGV[3])
redis.call('HDEL', catalog, 'ready')
redis.call('SET', generation, to)
redis.call('DEL', kept, fence)
if current and current ~= '' and current ~= to then
  redis.call('HSET', kept, 'epoch', current, 'until', string.format('%d', now + ARGV[4]), 'replaced_at', now)
  redis.call('SADD', generations, current)
end
redis.call('PUBLISH', ARGV[5], to .. '.' .. counter)
return {'ok', tostring(counter), tostring(now)}
