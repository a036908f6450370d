-- Begins a script that erases from the generation that is kept, in place of write_check.lua. One that is kept no more has
-- nothing to erase: it is dropped, or served again after the ledger was applied to it.
--
-- KEYS  1 kept (hash: epoch, until, replaced_at)  2 fence
-- ARGV  1 epoch  2 what the names of all keys of the generation begin with

local root = ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = tonumber(redis.call('HGET', KEYS[2], 'deadline') or '')
if deadline and deadline > now then
  return {'fenced', redis.call('HGET', KEYS[2], 'id') or ''}
end
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return {'ok', '0', '0', tostring(now)} end

