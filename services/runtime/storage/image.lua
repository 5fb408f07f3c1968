-- Write the record of an image whose bytes are stored, or extend the life of one that is there.
--
-- KEYS: the record, its mark of a purge, the paths that are being deleted, the sizes of what is hot,
-- their sum, the sizes of what is in the store.
-- ARGV: the paths of the image where it is kept and where it is not, the place of the bytes ('' for
-- Redis), seconds to live, whether to write (1) or to extend alone (0), the member in the sizes of what is
-- hot ('' if it does not count there), bytes, media type, the moment (ms), project, the digest of the bytes
-- ('' where it is the image's key), '1' if caches may not keep it ('' if they may), and the bytes themselves
-- if they go into the record. An image that is there for another reason may be kept.
-- Returns an outcome: 1 when written or extended, 0 for an image to extend that is not there (or not in that
-- place, or damaged), 2 for one that is damaged where it is kept, -1 if its bytes are being deleted. After a
-- 1 follow the bytes that are hot (0 if nothing became hot), the fields of the record and its life (ms).

local RECORD, PURGED, DELETING, HOT, HOT_BYTES, USAGE = unpack(KEYS)
local kept_path, passing_path, place, ttl, writes, member, size, media_type, created, project, digest,
  no_store, data = unpack(ARGV)
ttl = tonumber(ttl)

local seen = redis.call('HMGET', RECORD, 'bytes', 'place', 'damaged', 'no_store')
local recorded, stored_at, damaged = seen[1], seen[2], seen[3]
local exists = recorded and not damaged
-- An image that is kept suffices for a caller that needs it for a while.
local suffices = exists and (place ~= 'kept' or stored_at == 'kept')

if redis.call('ZSCORE', DELETING, kept_path) or redis.call('ZSCORE', DELETING, passing_path) then
  return {-1}
end
if damaged and stored_at == 'kept' and not (writes == '1' and place == 'kept') then
  return {2}
end
if writes == '0' and not suffices then
  return {0}
end
local hot = 0
if writes == '1' and not suffices then
  -- First, as Redis refuses this command when its memory is full: after a first write it refuses none.
  redis.call('HSET', RECORD, 'bytes', size)
  if not (exists and stored_at == place) and place ~= '' then
    redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':objects', 1)
    redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':bytes', size)
  end
  if place ~= '' then
    -- The bytes that lay in Redis are in the store now.
    for number = 0, math.floor(tonumber(size) / PART) do
      redis.call('HDEL', RECORD, number == 0 and 'data' or 'data:' .. number)
    end
    if redis.call('HDEL', HOT, member) == 1 then
      redis.call('DECRBY', HOT_BYTES, size)
    end
    redis.call('HSET', RECORD, 'place', place)
  else
    redis.call('HDEL', RECORD, 'place')
    if data then
      redis.call('HSET', RECORD, 'data', data)
    end
    if member ~= '' then
      local added = redis.call('HSET', HOT, member, size) == 1
      hot = added and redis.call('INCRBY', HOT_BYTES, size) or tonumber(redis.call('GET', HOT_BYTES) or 0)
    end
  end
  redis.call('HSETNX', RECORD, 'media_type', media_type)
  redis.call('HSETNX', RECORD, 'created', created)
  if digest ~= '' then
    redis.call('HSET', RECORD, 'project', project, 'digest', digest)
  end
  redis.call('HDEL', RECORD, 'damaged')
  if not recorded then
    redis.call('EXPIRE', RECORD, ttl)
    if no_store ~= '' then
      redis.call('HSET', RECORD, 'no_store', 1)
    end
  end
end
if seen[4] and no_store == '' then
  redis.call('HDEL', RECORD, 'no_store')
end
local left = redis.call('TTL', RECORD)
if left >= 0 and left < ttl then
  redis.call('EXPIRE', RECORD, ttl)
end
-- An image that is uploaded again is deleted no more.
redis.call('UNLINK', PURGED)
-- The order of FIELDS in records.py.
local fields = redis.call(
  'HMGET', RECORD,
  'media_type', 'bytes', 'note', 'digest', 'place', 'damaged', 'label', 'created', 'project',
  'no_store'
)
return {1, hot, fields, redis.call('PTTL', RECORD)}
