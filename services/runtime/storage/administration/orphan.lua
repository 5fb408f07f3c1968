-- Note that bytes are to be deleted from the store, unless a record needs them. Returns 1 if so, else 0.
--
-- KEYS: the record, the paths that are being deleted. ARGV: the path and the place of the bytes.

local RECORD, DELETING = unpack(KEYS)
local path, place = unpack(ARGV)

local seen = redis.call('HMGET', RECORD, 'bytes', 'place')
if seen[1] and seen[2] == place then
  return 0
end
redis.call('ZADD', DELETING, now_ms(), path)
return 1
