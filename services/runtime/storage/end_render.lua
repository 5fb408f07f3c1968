-- Give up the claim of a rendition.
--
-- KEYS: the claim. ARGV: the worker. Returns 1 if another worker waits for the end of the render.
-- Leaves a claim that has expired and is another worker's now.
local owner = redis.call('GET', KEYS[1])
if owner == ARGV[1] then
  redis.call('DEL', KEYS[1])
elseif owner == ARGV[1] .. AWAITED then
  redis.call('DEL', KEYS[1])
  return 1
end
return 0
