-- Write the records of renditions whose bytes are stored, or come with this call. A rendition of which an
-- image was deleted meanwhile is not written, and an older one with its key is deleted.
--
-- A claim of the only rendition ends if that is written.
--
-- KEYS: the sizes of what is hot, their sum, the paths that are being deleted, the sizes of what is in the
-- store, the claim; then for each rendition its record, and for each image that it is made from the index of the
-- image's renditions and its mark of a purge.
-- ARGV: seconds to live, the moment (s), the end (s) that the indexes say, project, the claim's owner ('' for
-- no claim); then for each rendition its digest, number of images, place ('' for Redis), the path of the bytes
-- there, bytes, the member in the sizes of what is hot ('' if it does not count there), number of fields, and
-- their names and values in turn.
-- Returns the bytes that are hot (0 if nothing became hot), the digests of those that were not written,
-- those whose older bytes are being deleted from their place, and what end_render.lua returns (-1 if the claim
-- was not ended).

local HOT, HOT_BYTES, DELETING, USAGE = unpack(KEYS, 1, 4)
local ttl, now, ends, project, owner = unpack(ARGV, 1, 5)
local key, arg = 6, 6
local hot, late, deleted_now = 0, {}, {}

local function expire(name)
  if redis.call('EXPIRE', name, ttl, 'NX') == 0 then
    redis.call('EXPIRE', name, ttl, 'GT')
  end
end

local function count(place, objects, size)
  redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':objects', objects)
  redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':bytes', size)
end

while arg <= #ARGV do
  local digest, images, place, path, size, member, fields = unpack(ARGV, arg, arg + 6)
  local record, first = KEYS[key], arg + 7
  local purged = false
  for number = 1, images do
    purged = purged or redis.call('EXISTS', KEYS[key + 2 * number]) == 1
  end
  if purged then
    redis.call('UNLINK', record)
    late[#late + 1] = digest
  else
    local before = redis.call('HMGET', record, 'place', 'bytes')
    redis.call('HSET', record, unpack(ARGV, first, first + 2 * fields - 1))
    expire(record)
    if place == '' then
      redis.call('HDEL', record, 'place')
    else
      -- A deletion that begins later finds the record, and leaves its bytes.
      if redis.call('ZSCORE', DELETING, path) then
        deleted_now[#deleted_now + 1] = digest
      end
      redis.call('HDEL', record, 'data')
      if before[1] then
        count(place, -1, -before[2])
      end
    end
    for number = 1, images do
      local index = KEYS[key + 2 * number - 1]
      redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
      redis.call('ZADD', index, 'GT', ends, digest)
      expire(index)
    end
    if member ~= '' then
      local counted = redis.call('HGET', HOT, member) or 0
      redis.call('HSET', HOT, member, size)
      hot = redis.call('INCRBY', HOT_BYTES, size - counted)
    end
  end
  key, arg = key + 1 + 2 * images, first + 2 * fields
end
local awaited = -1
if owner ~= '' and #late == 0 and #deleted_now == 0 then
  awaited = end_claim({KEYS[5]}, {owner})
end
return {hot, late, deleted_now, awaited}
