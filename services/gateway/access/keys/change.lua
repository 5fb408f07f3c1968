-- Write the record of a key if it is still the one that its change was made from. Returns 1, 0 if the record
-- is another one by now, and -1 for one key too many.
--
-- KEYS: the records, their version.
-- ARGV: the key's id, its record before ('' for none), its record, a new version, the largest number of keys.

local RECORDS, VERSION = unpack(KEYS)
local id, before, after, version, most = unpack(ARGV)

if (redis.call('HGET', RECORDS, id) or '') ~= before then
  return 0
end
if before == '' and redis.call('HLEN', RECORDS) >= tonumber(most) then
  return -1
end
redis.call('HSET', RECORDS, id, after)
redis.call('SET', VERSION, version)
return 1
