-- Reserve room for bytes that are about to be stored, unless they exceed a limit with what is in the store
-- and with what others have reserved. Returns 1 or 0, and the bytes that are left in the store and to the
-- project without this reservation ('' where there is no limit).
--
-- KEYS: the sizes of what is in the store, the reservations by the moment (ms) they were made.
-- ARGV: bytes, project, the reservation ("project:bytes:name"), the limits of the store and of a project
-- ('' for none), the milliseconds for which the reservation of a writer that died counts.

local USAGE, RESERVED = unpack(KEYS)
local size, project, reservation, store_limit, project_limit, longest = unpack(ARGV)

local all, own = 0, 0
local function count(owner, bytes)
  bytes = math.max(0, tonumber(bytes))
  all = all + bytes
  if owner == project then
    own = own + bytes
  end
end

redis.call('ZREMRANGEBYSCORE', RESERVED, '-inf', now_ms() - longest)
local stored = redis.call('HGETALL', USAGE)
for number = 1, #stored, 2 do
  local owner = string.match(stored[number], '^(.*):[^:]*:bytes$')
  if owner then
    count(owner, stored[number + 1])
  end
end
for _, other in ipairs(redis.call('ZRANGE', RESERVED, 0, -1)) do
  count(string.match(other, '^(.*):(%d+):[^:]*$'))
end

local store_left = store_limit == '' and '' or store_limit - all
local project_left = project_limit == '' and '' or project_limit - own
local fits = (store_left == '' or tonumber(size) <= store_left)
  and (project_left == '' or tonumber(size) <= project_left)
if fits then
  redis.call('ZADD', RESERVED, now_ms(), reservation)
end
return {fits and 1 or 0, store_left, project_left}
