-- Gives a generation its secret, once. Follows fill_check.lua.
--
-- ARGV  4 secret, or empty for none  5 "this" = this one or a refusal, or "any" = this one unless there is one

local key = root .. 'person-secret'
local known = redis.call('GET', key)
if known and known ~= ARGV[4] and ARGV[5] == 'this' then return {'secret'} end
if not known and ARGV[4] ~= '' then redis.call('SET', key, ARGV[4]) end
return {'ok', known or ARGV[4]}
