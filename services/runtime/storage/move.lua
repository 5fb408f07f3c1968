-- Take a blob out of those that are hot, once its bytes are in the store. Returns the bytes that are hot
-- then.
--
-- KEYS: the record, the sizes of what is hot, their sum.
-- ARGV: the member in those sizes, the place of the bytes in the store, the bytes that were stored there
-- ('' for none: the blob has expired).

local RECORD, HOT, HOT_BYTES = unpack(KEYS)
local member, place, data = unpack(ARGV)

local now_there = redis.call('HGET', RECORD, 'data')
if now_there and now_there ~= data then
  -- It was stored anew meanwhile.
  return redis.call('GET', HOT_BYTES) or 0
end
local size = redis.call('HGET', HOT, member)
redis.call('HDEL', HOT, member)
if now_there then
  redis.call('HSET', RECORD, 'place', place)
  redis.call('HDEL', RECORD, 'data')
  redis.call('HINCRBY', USAGE, PROJECT .. ':' .. place .. ':objects', 1)
  redis.call('HINCRBY', USAGE, PROJECT .. ':' .. place .. ':bytes', #data)
end
return size and redis.call('DECRBY', HOT_BYTES, size) or redis.call('GET', HOT_BYTES) or 0
