-- Drops a part of a generation, or refuses. The catalog goes before everything else: without it a generation is neither
-- read nor switched to, however much of it is still there.
--
-- KEYS  1 generation  2 fence  3 kept  4 generations (set), then keys that go
-- ARGV  1 epoch  2 what the names of all its keys begin with  3 "last" when nothing is left after this, or "more"
--
-- Answers {"ok"}, {"none"} when there is no such generation, or {"in-use"}.

local epoch, root = ARGV[1], ARGV[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('HMGET', KEYS[3], 'epoch', 'until')
local fence = redis.call('HMGET', KEYS[2], 'filling', 'deadline')
local function is_after_now(deadline) return (tonumber(deadline or '') or 0) > now end
if redis.call('GET', KEYS[1]) == epoch
  or (kept[1] == epoch and is_after_now(kept[2]))
  or (fence[1] == epoch and is_after_now(fence[2])) then
  return {'in-use'}
end
if redis.call('SISMEMBER', KEYS[4], epoch) == 0 then return {'none'} end

if kept[1] == epoch then redis.call('DEL', KEYS[3]) end
redis.call('UNLINK', root .. 'catalog')
for index = 5, #KEYS do
  if string.sub(KEYS[index], 1, #root) == root then redis.call('UNLINK', KEYS[index]) end
end
if ARGV[3] == 'last' then redis.call('SREM', KEYS[4], epoch) end
return {'ok'}
