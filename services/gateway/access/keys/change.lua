-- Write the record of a key if nothing has changed since its change was made. Returns 1, 0 if something has,
-- -1 for one key too many, and -2 for an imported key that was removed here, or may have been.
--
-- KEYS: the records, their version, the removed keys of the project.
-- ARGV: the key's id, its record before ('' for none), its record, a new version, the version that the room
-- for a new key was found in, the largest number of keys, the largest number of removed keys, and when an
-- imported key was made ('' for another one).

local RECORDS, VERSION, REMOVED = unpack(KEYS)
local id, before, after, version, seen, most, most_removed, created = unpack(ARGV)

local function was_removed()
  if redis.call('ZSCORE', REMOVED, id) then
    return true
  end
  if redis.call('ZCARD', REMOVED) < tonumber(most_removed) then
    return false
  end
  -- The ids of keys that were made before all of these may have been forgotten.
  return tonumber(created) <= tonumber(redis.call('ZRANGE', REMOVED, 0, 0, 'WITHSCORES')[2])
end

if (redis.call('HGET', RECORDS, id) or '') ~= before then
  return 0
end
if before == '' then
  if (redis.call('GET', VERSION) or '') ~= seen then
    return 0
  end
  if created ~= '' and was_removed() then
    return -2
  end
  if redis.call('HLEN', RECORDS) >= tonumber(most) then
    return -1
  end
end
redis.call('HSET', RECORDS, id, after)
redis.call('SET', VERSION, version)
return 1
