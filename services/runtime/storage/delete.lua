-- Delete the record of an image, and note that its bytes are to be deleted from the store. Returns 1, 0
-- where there is no record, and -1 for the image of another project.
--
-- KEYS: the record, its mark of a purge, its long description, the kept images of its project, the paths
-- that are being deleted, the sizes of what is hot, their sum, the sizes of what is in the store.
-- ARGV: the image's key, its path where it is kept, the member in the sizes of what is hot, project,
-- seconds for which renders of the image may still run.

local RECORD, PURGED, DETAILS, LIST, DELETING, HOT, HOT_BYTES, USAGE = unpack(KEYS)
local image, path, member, project, longest = unpack(ARGV)

local seen = redis.call('HMGET', RECORD, 'bytes', 'place', 'project')
local size, place = seen[1], seen[2]
if size and (seen[3] or DEFAULT_PROJECT) ~= project then
  return -1
end
redis.call('ZADD', DELETING, now_ms(), path)
redis.call('ZREM', LIST, image)
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
