-- What scripts share that write events: how an event is counted, and how it goes. Follows write_check.lua, or what stands
-- in its place, which has set `root` and `now`.

local days, totals, ledger = root .. 'event-days', root .. 'event-totals', root .. 'ledger'

local function events_key(day) return root .. 'events:' .. day end
local function times_key(day) return root .. 'event-times:' .. day end
local function person_key(name) return root .. 'person:' .. name end

-- The hashes that count how many events use an id, each with the field of an event that names it.
local uses = {
  {key = root .. 'event-users', field = 'user_index'},
  {key = root .. 'event-sessions', field = 'session_index'},
  {key = root .. 'event-cars', field = 'car_index'},
}

-- Counts an event in (1) or out (-1); what is used no more is counted no more.
local function count(event, step)
  local function add(key, field, number)
    if redis.call('HINCRBY', key, field, number) <= 0 then redis.call('HDEL', key, field) end
  end
  add(totals, 'deed:' .. event.deed, step)
  if event.duration then
    add(totals, 'durations', step)
    -- Not by add: a sum of durations can be 0 while there are some. And not for 0: -1 * 0 is "-0", which is no number
    -- to the server.
    if event.duration > 0 then redis.call('HINCRBY', totals, 'duration_seconds', step * event.duration) end
  end
  for _, use in ipairs(uses) do
    if event[use.field] then add(use.key, event[use.field], step) end
  end
end

-- Removes an event from its day, the indexes of the ids in it, and the counts. Gives how many that were: 1 or 0.
local function remove(day, id)
  local kept = redis.call('HGET', events_key(day), id)
  redis.call('ZREM', times_key(day), id)
  if not kept then return 0 end
  redis.call('HDEL', events_key(day), id)
  if redis.call('EXISTS', events_key(day)) == 0 then redis.call('SREM', days, day) end
  -- What cannot be read goes nevertheless.
  local readable, event = pcall(cjson.decode, kept)
  if readable and type(event) == 'table' and event.deed then
    for _, name in ipairs({event.user_index or '', event.session_index or ''}) do
      if name ~= '' then redis.call('SREM', person_key(name), day .. '/' .. id) end
    end
    count(event, -1)
  end
  return 1
end

