-- Write the record of a kept image whose bytes and sidecar are in the store. Returns 1, or 0 where nothing
-- is to be written: the image has a record that says the same, its end has come, or it is being deleted.
--
-- KEYS: the record, its mark of a purge, the kept images of its project, the paths that are being deleted,
-- the sizes of what is hot, their sum.
-- ARGV: the image's key, the path of its bytes, bytes, media type, the moment of its upload (ms), the
-- moment of its end (ms, '' for none), label, the member in the sizes of what is hot, project, the digest
-- of the bytes ('' where it is the image's key).

local RECORD, PURGED, LIST, DELETING, HOT, HOT_BYTES = unpack(KEYS)
local image, path, size, media_type, created, ends, label, member, project, digest = unpack(ARGV)

if redis.call('ZSCORE', DELETING, path) or redis.call('EXISTS', PURGED) == 1 then
  return 0
end
if ends ~= '' and tonumber(ends) <= now_ms() then
  return 0
end
local seen = redis.call('HMGET', RECORD, 'bytes', 'place')
if seen[1] and seen[2] == 'kept' then
  redis.call('ZADD', LIST, 'NX', created, image)
  -- Bytes that were missing are here again; a reader compares them with their digest.
  return redis.call('HDEL', RECORD, 'damaged')
end
-- First, as Redis refuses this command when its memory is full: after a first write it refuses none.
redis.call('HSET', RECORD, 'bytes', size, 'created', created, 'place', 'kept')
-- The same image may have come with a render meanwhile: its bytes in Redis are in the store as well.
for number = 0, math.floor(tonumber(size) / PART) do
  redis.call('HDEL', RECORD, number == 0 and 'data' or 'data:' .. number)
end
if redis.call('HDEL', HOT, member) == 1 then
  redis.call('DECRBY', HOT_BYTES, size)
end
redis.call('HSETNX', RECORD, 'media_type', media_type)
if digest ~= '' then
  redis.call('HSET', RECORD, 'project', project, 'digest', digest)
end
redis.call('HDEL', RECORD, 'damaged', 'no_store')
if label ~= '' then
  redis.call('HSET', RECORD, 'label', label)
end
if ends == '' then
  redis.call('PERSIST', RECORD)
else
  redis.call('PEXPIREAT', RECORD, ends)
end
redis.call('ZADD', LIST, 'NX', created, image)
return 1
