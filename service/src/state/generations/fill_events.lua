-- Gives a generation events as they were. Follows fill_check.lua and event_indexes.lua.
--
-- ARGV  4 number of events, then for each: id, milliseconds, day, what is kept of it as a JSON object without the time

local position = 4
for _ = 1, tonumber(ARGV[4]) do
  local id, at, day, content = ARGV[position + 1], ARGV[position + 2], ARGV[position + 3], ARGV[position + 4]
  position = position + 4
  remove(day, id)
  local event = cjson.decode(content)
  redis.call('HSET', events_key(day), id, '{"at":' .. at .. ',' .. string.sub(content, 2))
  redis.call('ZADD', times_key(day), at, id)
  redis.call('SADD', days, day)
  for _, name in ipairs({event.user_index or '', event.session_index or ''}) do
    if name ~= '' then redis.call('SADD', person_key(name), day .. '/' .. id) end
  end
  count(event, 1)
end
return {'ok'}
