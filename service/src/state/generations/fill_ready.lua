-- Says that the ledgers of a generation are applied. Follows fill_check.lua.

redis.call('HSET', root .. 'catalog', 'ready', ARGV[3])
return {'ok'}
