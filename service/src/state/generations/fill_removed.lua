-- Takes events out of a generation that are not to come back. Follows fill_check.lua and event_indexes.lua.
--
-- ARGV  from 4 on, for each event: day, id

for position = 4, #ARGV, 2 do remove(ARGV[position], ARGV[position + 1]) end
return {'ok'}
