-- Remove records of keys of one project that have ended, and note their ids: no import brings them back.
-- The notes on the keys that were made first are dropped where there are too many.
--
-- KEYS: the records, their version, the removed keys of the project.
-- ARGV: the version in which the keys had ended, a new version, the largest number of removed keys, and for
-- each key when it was made and its id.

local RECORDS, VERSION, REMOVED = unpack(KEYS)

if (redis.call('GET', VERSION) or '') ~= ARGV[1] then
  return 0
end
for i = 4, #ARGV, 2 do
  redis.call('ZADD', REMOVED, ARGV[i], ARGV[i + 1])
  redis.call('HDEL', RECORDS, ARGV[i + 1])
end
redis.call('ZREMRANGEBYRANK', REMOVED, 0, -1 - tonumber(ARGV[3]))
redis.call('SET', VERSION, ARGV[2])
return 1
