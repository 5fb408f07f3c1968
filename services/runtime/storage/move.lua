-- Take a blob out of those that are hot, once its bytes are in the store. Returns the bytes that are hot
-- then.
--
-- KEYS: the record, the sizes of what is hot, their sum, the paths that are being deleted.
-- ARGV: the member in those sizes, project, the place and the path of the bytes in the store, the bytes that
-- were stored there ('' for none: the blob has expired).

local RECORD, HOT, HOT_BYTES, DELETING = unpack(KEYS)
local member, project, place, path, data = unpack(ARGV)

local now_there = redis.call('HGET', RECORD, 'data')
if now_there and (now_there ~= data or redis.call('ZSCORE', DELETING, path)) then
  -- It was stored anew meanwhile, or a sweep deletes older bytes with that path.
  return redis.call('GET', HOT_BYTES) or 0
end
local size = redis.call('HGET', HOT, member)
redis.call('HDEL', HOT, member)
if now_there then
  redis.call('HSET', RECORD, 'place', place)
  redis.call('HDEL', RECORD, 'data')
  redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':objects', 1)
  redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':bytes', #data)
end
return size and redis.call('DECRBY', HOT_BYTES, size) or redis.call('GET', HOT_BYTES) or 0
