-- Delete the record of an image, and note that its bytes are to be deleted from the store. Returns 1, or 0
-- where there is no record.
--
-- KEYS: the record, its mark of a purge, its long description, the kept images of its project, the paths
-- that are being deleted, the sizes of what is hot, their sum, the sizes of what is in the store.
-- ARGV: the image's digest, its path where it is kept, the member in the sizes of what is hot, project,
-- seconds for which renders of the image may still run.

local RECORD, PURGED, DETAILS, LIST, DELETING, HOT, HOT_BYTES, USAGE = unpack(KEYS)
local digest, path, member, project, longest = unpack(ARGV)

local seen = redis.call('HMGET', RECORD, 'bytes', 'place')
local size, place = seen[1], seen[2]
redis.call('ZADD', DELETING, now_ms(), path)
redis.call('ZREM', LIST, digest)
redis.call('UNLINK', DETAILS)
if not size then
  return 0
end
redis.call('UNLINK', RECORD)
redis.call('SET', PURGED, 1, 'EX', longest)
if place then
  redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':objects', -1)
  redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':bytes', -size)
elseif redis.call('HDEL', HOT, member) == 1 then
  redis.call('DECRBY', HOT_BYTES, size)
end
return 1
