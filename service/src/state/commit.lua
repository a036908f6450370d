-- Commits a change of stock in one step, or refuses it and changes nothing.
--
-- KEYS  1 generation  2 fence
--       3 catalog (hash: counter, changed_at, put_at = the counter of the last change that put or removed stock)
--       4 dealerships (hash: id -> record)
--       5 stock (hash: id -> "version chunks digest cars fingerprint", then " counter" once a car was updated)
--       6 tokens (hash: id -> SHA-256 of the dealership's token)
--       7 what is remembered of the request, when the last two arguments are there
-- ARGV  1 "open" or "change"  2 epoch  3 counter that the change was decided on (empty for "open")
--       4 channel  5 prefix of chunk keys  6 milliseconds that superseded chunks are kept
--       7 prefix of the keys that hold when cars were marked sold (hash of a dealership: car -> ms)
--       8 prefix of the keys that hold updates of cars since their stock was put (hash of a dealership: car -> facts)
--       9 number of dealerships to put, then for each: id, record, version, chunks, digest, cars, fingerprint
--       then the number of dealerships to remove, then their ids
--       then the number of marks, then for each: dealership, car, "sold" or "on-sale"
--       then the number of updates, then for each: dealership, car, facts, fingerprint of the stock with it
--       then, where the request is remembered: as what, and for how many milliseconds
--
-- Chunks are keys made from a prefix and the version, so they are not in KEYS: a superseded version is only
-- known in here. All of them lie under the prefix of the access list; a cluster of several nodes is not
-- served.
--
-- Answers {"ok", counter, changed_at} or {refusal, detail}.

local generation, fence, catalog, dealerships, stock = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local tokens, once = KEYS[6], KEYS[7]
local mode, epoch, basis, channel, chunk_prefix, kept = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local sold_prefix, updates_prefix = ARGV[7], ARGV[8]

local position = 8
local function next_argument()
  position = position + 1
  return ARGV[position]
end

local function chunk_key(id, version, index)
  return chunk_prefix .. id .. ':' .. version .. ':' .. index
end

-- 1. The generation and the version that the change was decided on.
local current = redis.call('GET', generation)
if mode == 'open' then
  if current then return {'already-open', current} end
else
  if current ~= epoch then return {'moved', current or ''} end
  local counter = redis.call('HGET', catalog, 'counter')
  if not counter or tonumber(basis) > tonumber(counter) then return {'moved', counter or ''} end
  -- Which ids there are, and whose, is as it was.
  local put_at = redis.call('HGET', catalog, 'put_at') or counter
  if tonumber(put_at) > tonumber(basis) then return {'moved', counter} end
end

-- Whether a car of a dealership was updated since the change was decided on; of others' cars that does not matter.
local function was_updated(id)
  if mode == 'open' then return false end
  local pointer = redis.call('HGET', stock, id)
  local updated = pointer and string.match(pointer, '^%S+ %S+ %S+ %S+ %S+ (%d+)$')
  return updated and tonumber(updated) > tonumber(basis)
end

-- 2. The fence of a restore, unless its holder died and its deadline is past.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local deadline = tonumber(redis.call('HGET', fence, 'deadline') or '')
if deadline and deadline > now then
  return {'fenced', redis.call('HGET', fence, 'id') or ''}
end

-- 3. Every chunk is there and is what was written. An eviction or a lost write shows here.
local puts = {}
for _ = 1, tonumber(next_argument()) do
  local put = {
    id = next_argument(), record = next_argument(), version = next_argument(),
    chunks = tonumber(next_argument()), digest = next_argument(), cars = next_argument(),
    fingerprint = next_argument(),
  }
  if was_updated(put.id) then return {'moved', ''} end
  local digests = {}
  for index = 0, put.chunks - 1 do
    local chunk = redis.call('GET', chunk_key(put.id, put.version, index))
    if not chunk then return {'incomplete', put.id, 'chunk ' .. index .. ' of ' .. put.chunks .. ' is missing'} end
    digests[#digests + 1] = redis.sha1hex(chunk)
  end
  if redis.sha1hex(table.concat(digests)) ~= put.digest then
    return {'incomplete', put.id, 'the digest differs from the one that was written'}
  end
  puts[#puts + 1] = put
end
local removals = {}
for _ = 1, tonumber(next_argument()) do
  local id = next_argument()
  if was_updated(id) then return {'moved', ''} end
  removals[#removals + 1] = id
end
local marks = {}
for _ = 1, tonumber(next_argument()) do
  marks[#marks + 1] = {dealership = next_argument(), car = next_argument(), mark = next_argument()}
end
local updates = {}
for _ = 1, tonumber(next_argument()) do
  local update = {
    dealership = next_argument(), car = next_argument(), facts = next_argument(), fingerprint = next_argument(),
  }
  if was_updated(update.dealership) then return {'moved', ''} end
  local pointer = redis.call('HGET', stock, update.dealership)
  update.put = pointer and string.match(pointer, '^%S+ %S+ %S+ %S+ ')
  if not update.put then
    return {'incomplete', update.dealership, 'it has no stock of which a car could be updated'}
  end
  updates[#updates + 1] = update
end
local remembered = next_argument()
local remembered_for = next_argument()

-- 4. Writes, and nothing but writes from here on. The first is one that a full server refuses, so that
-- "no room" comes before anything is changed; a script that has begun to write is let through.
local counter = redis.call('HINCRBY', catalog, 'counter', 1)
redis.call('HSET', catalog, 'changed_at', now)
if mode == 'open' or #puts + #removals > 0 then redis.call('HSET', catalog, 'put_at', counter) end

local function supersede(id)
  local pointer = redis.call('HGET', stock, id)
  if not pointer then return end
  local version, chunks = string.match(pointer, '^(%S+) (%d+) ')
  for index = 0, tonumber(chunks or 0) - 1 do
    redis.call('PEXPIRE', chunk_key(id, version, index), kept)
  end
end

for _, id in ipairs(removals) do
  supersede(id)
  redis.call('HDEL', stock, id)
  redis.call('HDEL', dealerships, id)
  -- Whoever gets the id later must not be met by the token or the marks of who had it before.
  redis.call('HDEL', tokens, id)
  redis.call('DEL', sold_prefix .. id, updates_prefix .. id)
end
for _, put in ipairs(puts) do
  supersede(put.id)
  for index = 0, put.chunks - 1 do redis.call('PERSIST', chunk_key(put.id, put.version, index)) end
  redis.call('HSET', dealerships, put.id, put.record)
  redis.call('HSET', stock, put.id,
    table.concat({put.version, put.chunks, put.digest, put.cars, put.fingerprint}, ' '))
  redis.call('DEL', updates_prefix .. put.id)
end
for _, mark in ipairs(marks) do
  if mark.mark == 'sold' then
    redis.call('HSET', sold_prefix .. mark.dealership, mark.car, now)
  else
    redis.call('HDEL', sold_prefix .. mark.dealership, mark.car)
  end
end
for _, update in ipairs(updates) do
  redis.call('HSET', updates_prefix .. update.dealership, update.car, update.facts)
  redis.call('HSET', stock, update.dealership, update.put .. update.fingerprint .. ' ' .. counter)
end
if remembered then
  -- Its answer names the version in a place that was kept free for it.
  remembered = string.gsub(remembered, '{catalog_version}', epoch .. '.' .. counter)
  redis.call('SET', once, remembered, 'PX', remembered_for)
end
if mode == 'open' then redis.call('SET', generation, epoch) end
redis.call('PUBLISH', channel, epoch .. '.' .. counter)
return {'ok', tostring(counter), tostring(now)}
