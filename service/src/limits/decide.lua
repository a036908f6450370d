-- Decides about one request, as limits/gcra.rs does, by the clock of the server that all replicas share.
--
-- KEYS  1 what is remembered: when the address would have its whole burst again, in microseconds
-- ARGV  1 microseconds until a spent request is given back  2 microseconds from a spent burst to a whole one
--       3 milliseconds that the key lives  4 the time, for tests; otherwise the server's
--
-- Answers {1 when allowed or else 0, what is remembered now, the time}. Microseconds since 1970 stay below
-- 2^53 until the year 2255, so that Lua's numbers hold them exactly.

local interval, whole, lives = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local now = tonumber(ARGV[4] or '')
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local whole_at = tonumber(redis.call('GET', KEYS[1]) or '') or now
whole_at = math.max(now, math.min(whole_at, now + whole))
local allowed = whole_at + interval <= now + whole
if allowed then
  whole_at = whole_at + interval
  redis.call('SET', KEYS[1], string.format('%.0f', whole_at), 'PX', lives)
end
return {allowed and 1 or 0, whole_at, now}
