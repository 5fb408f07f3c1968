-- Take the bytes of an image out of its record, once they are in the store. Returns 1, or 0 where they stay:
-- the record is gone, counts as hot, lies in the store already, or is being deleted.
--
-- KEYS: the record, the paths that are being deleted, the sizes of what is hot, the sizes of what is in the
-- store.
-- ARGV: the path and the place of the bytes in the store, bytes, number of parts, the member in the sizes of
-- what is hot, project.

local RECORD, DELETING, HOT, USAGE = unpack(KEYS)
local path, place, size, parts, member, project = unpack(ARGV)

local seen = redis.call('HMGET', RECORD, 'bytes', 'place')
if seen[1] ~= size or seen[2] or redis.call('ZSCORE', DELETING, path) then
  return 0
end
if redis.call('HEXISTS', HOT, member) == 1 then
  return 0
end
redis.call('HSET', RECORD, 'place', place)
redis.call('HSETNX', RECORD, 'created', now_ms())
for number = 0, parts - 1 do
  redis.call('HDEL', RECORD, number == 0 and 'data' or 'data:' .. number)
end
redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':objects', 1)
redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':bytes', size)
return 1
