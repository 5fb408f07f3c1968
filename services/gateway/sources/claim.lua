-- Take the claim of an original or keep it for longer, unless another owner has it; read what is known.
--
-- KEYS: the claim, the original, its failure. ARGV: the owner, milliseconds to live (0: end the claim).
-- Returns whether the claim is the owner's, as 1 or 0, the values of the other keys, and
-- the milliseconds that the last one has left.

local CLAIM, ORIGINAL, FAILURE = unpack(KEYS)
local owner, life = ARGV[1], tonumber(ARGV[2])
local held = redis.call('GET', CLAIM)
local mine = not held or held == owner
if mine and life > 0 then
  redis.call('SET', CLAIM, owner, 'PX', life)
elseif mine then
  redis.call('DEL', CLAIM)
end
return {mine and 1 or 0, redis.call('GET', ORIGINAL), redis.call('GET', FAILURE), redis.call('PTTL', FAILURE)}
