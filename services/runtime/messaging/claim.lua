-- Claim entries that a member of a group has left, each only if it is that member's still: of
-- several that claim it, one gets it. Idle times do not matter, which follow a clock that may jump.
--
-- KEYS: the stream. ARGV: group, the claiming member, the other one, then entries and the numbers of
-- their deliveries in turn. Returns for each claimed entry: its id, its fields, that number.
local claimed = {}
for i = 4, #ARGV, 2 do
  local entry, delivery = ARGV[i], tonumber(ARGV[i + 1])
  if #redis.call('XPENDING', KEYS[1], ARGV[1], entry, entry, 1, ARGV[3]) > 0 then
    local claim = {'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, entry, 'RETRYCOUNT', delivery}
    local found = redis.call(unpack(claim))[1]
    if found then
      claimed[#claimed + 1] = {entry, found[2], delivery}
    end
  end
end
return claimed
