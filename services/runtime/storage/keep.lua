-- Write the records of renditions whose bytes are stored, or come with this call. A rendition of which an
-- image was deleted meanwhile is not written, and an older one with its key is deleted.
--
-- If the only rendition is written, its claim ends, and the commands that follow run.
--
-- KEYS: the sizes of what is hot, their sum, the paths that are being deleted, the sizes of what is in the
-- store, the claim; then for each rendition its record, and for each image that it is made from the index of the
-- image's renditions and its mark of a purge.
-- ARGV: seconds to live, the moment (s), the end (s) that the indexes say, project, the claim's owner ('' for
-- no claim), the number of commands that follow, and for each its number of words and the words; then for each
-- rendition its digest, number of images, place ('' for Redis), the path of the bytes there, bytes, the member in
-- the sizes of what is hot ('' if it does not count there), number of fields, and their names and values in turn.
-- Returns the bytes that are hot (0 if nothing became hot), the digests of those that were not written,
-- those whose older bytes are being deleted from their place, what end_render.lua returns (-1 if the claim
-- was not ended), and the number of commands that have followed: the first that fails is the last one.

local HOT, HOT_BYTES, DELETING, USAGE = unpack(KEYS, 1, 4)
local ttl, now, ends, project, owner, follow = unpack(ARGV, 1, 6)
local key, arg = 6, 7
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

local following = {}
for number = 1, follow do
  following[number] = {arg + 1, arg + ARGV[arg]}
  arg = arg + ARGV[arg] + 1
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
local awaited, followed = -1, 0
if #late == 0 and #deleted_now == 0 then
  if owner ~= '' then
    awaited = end_claim({KEYS[5]}, {owner})
  end
  for number, words in ipairs(following) do
    local answer = redis.pcall(unpack(ARGV, words[1], words[2]))
    if type(answer) == 'table' and answer.err then
      break
    end
    followed = number
  end
end
return {hot, late, deleted_now, awaited, followed}
