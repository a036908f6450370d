-- Reads the counts of what is kept, as at one moment.
--
-- KEYS  1 totals  2 users  3 sessions  4 cars (hashes)  5 days (set)
-- ARGV  1 what the names of sorted sets of times begin with, before the day
--
-- Answers {totals, users, sessions, cars, milliseconds of the newest or nothing}.

local newest = ''
for _, day in ipairs(redis.call('SMEMBERS', KEYS[5])) do
  if day > newest then newest = day end
end
local last = redis.call('ZREVRANGE', ARGV[1] .. newest, 0, 0, 'WITHSCORES')
return {
  redis.call('HGETALL', KEYS[1]),
  redis.call('HLEN', KEYS[2]),
  redis.call('HLEN', KEYS[3]),
  redis.call('HLEN', KEYS[4]),
  last[2] or false,
}
