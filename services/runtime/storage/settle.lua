-- Keep an image whose record is there. Returns 0 where there is none.
--
-- KEYS: the record, the kept images of its project by the moment of their upload.
-- ARGV: the image's digest, seconds to live ('' for no end, 0 to leave its life as it is), a label.

local RECORD, LIST = unpack(KEYS)
local digest, ttl, label = unpack(ARGV)

if redis.call('HEXISTS', RECORD, 'bytes') == 0 then
  return 0
end
if ttl == '' then
  redis.call('PERSIST', RECORD)
else
  local left = redis.call('TTL', RECORD)
  if left >= 0 and left < tonumber(ttl) then
    redis.call('EXPIRE', RECORD, ttl)
  end
end
if label ~= '' then
  redis.call('HSET', RECORD, 'label', label)
end
-- The list has the moment of the record: an older one may be left there by an image that has expired.
redis.call('HSETNX', RECORD, 'created', now_ms())
redis.call('ZADD', LIST, redis.call('HGET', RECORD, 'created'), digest)
return 1
