-- Writes fields of a hash of a generation. Follows fill_check.lua.
--
-- ARGV  4 its name within the generation  5 "new" to begin with nothing, or "more"
--       then for each field: its name, and its value or nothing to remove it

local key = root .. ARGV[4]
if ARGV[5] == 'new' then redis.call('UNLINK', key) end
for position = 6, #ARGV, 2 do
  if ARGV[position + 1] == '' then
    redis.call('HDEL', key, ARGV[position])
  else
    redis.call('HSET', key, ARGV[position], ARGV[position + 1])
  end
end
return {'ok'}
