-- Records events in one step. Follows write_check.lua and event_indexes.lua.
--
-- ARGV  3 number of events, then for each: id, its age in milliseconds (0 unless it had to wait), what is kept of it as
--       a JSON object
--
-- Answers {"ok", then for each event "stored" or "repeated" with when it happened and whether it was the first of
-- its user and of its session (1 or 0), or "differs"}.

local DAY = 24 * 3600 * 1000

-- The date, yyyy-mm-dd, of a day counted from 1970-01-01. The algorithm is Howard Hinnant's civil_from_days: years
-- begin in March, so that a leap day is the last of its year.
local function date(number)
  local floor = math.floor
  local shifted = number + 719468
  local era = floor(shifted / 146097)
  local day_of_era = shifted - era * 146097
  local year_of_era = floor(
    (day_of_era - floor(day_of_era / 1460) + floor(day_of_era / 36524) - floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + floor(year_of_era / 4) - floor(year_of_era / 100))
  local month = floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - floor((153 * month + 2) / 5) + 1
  month = month < 10 and month + 3 or month - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02d', year, month, day)
end

-- The same, computed once in a batch: its events are of two days or three, and the days around are asked for too.
local dates = {}
local function day_of(number)
  dates[number] = dates[number] or date(number)
  return dates[number]
end

-- What is kept under an id: on this day, or on the day before or after, when the same request has reached the store
-- by another way meanwhile.
local function find(number, id)
  for _, near in ipairs({number, number - 1, number + 1}) do
    local kept = redis.call('HGET', events_key(day_of(near)), id)
    if kept then
      local readable, event = pcall(cjson.decode, kept)
      return readable and type(event) == 'table' and event or {}
    end
  end
end

-- Whether whoever sent an event was told of it as it was stored, and so of the key of its id where it was the first.
-- What had to wait was answered before it was known whether it is the first.
local function was_told(place)
  local day, id = string.match(place, '^([^/]*)/(.*)$')
  local readable, event = pcall(cjson.decode, day and redis.call('HGET', events_key(day), id) or '')
  return not (readable and type(event) == 'table' and event.waited)
end

-- How many events are kept under an id when all of them had to wait; false when one did not. Looked up once in a batch.
local waited = {}
local function all_waited(name)
  for _, place in ipairs(redis.call('SMEMBERS', person_key(name))) do
    if was_told(place) then return false end
  end
  return redis.call('SCARD', person_key(name))
end

-- Whether nothing is kept under an id but what had to wait. An id of more events than these is known, so that nobody can
-- keep the server busy by letting it look through what waited.
local MOST_THAT_WAITED = 50
local function is_new(name)
  if name == nil then return false end
  if waited[name] == nil then
    waited[name] = redis.call('SCARD', person_key(name)) <= MOST_THAT_WAITED and all_waited(name)
  end
  return waited[name] and waited[name] <= MOST_THAT_WAITED
end

local function answer(word, at, first_of_user, first_of_session)
  return string.format('%s %d %d %d', word, at, first_of_user and 1 or 0, first_of_session and 1 or 0)
end

local answers = {'ok'}
local position = 3
for _ = 1, tonumber(ARGV[3]) do
  local id, age, content = ARGV[position + 1], tonumber(ARGV[position + 2]), ARGV[position + 3]
  position = position + 3
  local at = now - age
  local number = math.floor(at / DAY)
  local event, kept = cjson.decode(content), find(number, id)
  if kept and kept.same ~= event.same then
    answers[#answers + 1] = 'differs'
  elseif kept then
    answers[#answers + 1] = answer('repeated', kept.at, kept.first_of_user, kept.first_of_session)
  else
    local day = day_of(number)
    local first_of_user, first_of_session = is_new(event.user_index), is_new(event.session_index)
    local first = (age > 0 and '"waited":true,' or '')
      .. (first_of_user and '"first_of_user":true,' or '')
      .. (first_of_session and '"first_of_session":true,' or '')
    -- The first write is one that a full server refuses, so that "no room" comes before anything is changed; a
    -- script that has begun to write is let through. The text is not encoded anew, which would cost digits.
    redis.call('HSET', events_key(day), id, string.format('{"at":%d,', at) .. first .. string.sub(content, 2))
    redis.call('ZADD', times_key(day), at, id)
    redis.call('SADD', days, day)
    for _, name in ipairs({event.user_index or '', event.session_index or ''}) do
      if name ~= '' then
        local added = redis.call('SADD', person_key(name), day .. '/' .. id)
        waited[name] = age > 0 and waited[name] and waited[name] + added
      end
    end
    count(event, 1)
    answers[#answers + 1] = answer('stored', at, first_of_user, first_of_session)
  end
end
return answers
