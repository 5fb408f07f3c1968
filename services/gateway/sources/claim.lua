-- Take a claim, or keep it for longer; a claim of another owner is left alone.
--
-- KEYS: the claim. ARGV: the owner, milliseconds to live (0: end it).
-- Returns 1 for an owner of the claim, 0 for everybody else.

local owner, life = ARGV[1], tonumber(ARGV[2])
local held = redis.call('GET', KEYS[1])
if held and held ~= owner then
  return 0
end
if life == 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], owner, 'PX', life)
end
return 1
