-- Gives a generation a dealership whose pieces are written. Follows fill_check.lua.
--
-- ARGV  4 id  5 record  6 version  7 pieces  8 digest of them  9 cars  10 fingerprint  11 SHA-256 of its token, or empty
--
-- Answers {"ok"} or {"incomplete", id, what is missing}.

local id, version, pieces = ARGV[4], ARGV[6], tonumber(ARGV[7])
local prefix = root .. 'stock:' .. id .. ':'

-- Every piece is there and is what was written. An eviction or a lost write shows here.
local digests = {}
for index = 0, pieces - 1 do
  local piece = redis.call('GET', prefix .. version .. ':' .. index)
  if not piece then return {'incomplete', id, 'piece ' .. index .. ' of ' .. pieces .. ' is missing'} end
  digests[#digests + 1] = redis.sha1hex(piece)
end
if redis.sha1hex(table.concat(digests)) ~= ARGV[8] then
  return {'incomplete', id, 'the digest differs from the one that was written'}
end

-- Filled in before: nobody reads that.
local before = redis.call('HGET', root .. 'stock', id)
local old_version, old_pieces = string.match(before or '', '^(%S+) (%d+) ')
for index = 0, tonumber(old_pieces or 0) - 1 do
  redis.call('UNLINK', prefix .. old_version .. ':' .. index)
end
for index = 0, pieces - 1 do redis.call('PERSIST', prefix .. version .. ':' .. index) end
redis.call('HSET', root .. 'dealerships', id, ARGV[5])
redis.call('HSET', root .. 'stock', id, table.concat({version, ARGV[7], ARGV[8], ARGV[9], ARGV[10]}, ' '))
if ARGV[11] == '' then
  redis.call('HDEL', root .. 'tokens', id)
else
  redis.call('HSET', root .. 'tokens', id, ARGV[11])
end
return {'ok'}
