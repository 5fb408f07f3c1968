-- Ask the worker that has claimed a rendition to tell when its render ends.
--
-- KEYS: the claim. Returns 1, or 0 if there is no claim (any more). A claim without an end gets one:
-- a worker sets none, and nothing else would ever delete it.
local owner = redis.call('GET', KEYS[1])
if not owner then
  return 0
end
if string.sub(owner, -1) ~= AWAITED then
  redis.call('SET', KEYS[1], owner .. AWAITED, 'KEEPTTL')
end
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], LIFE)
end
return 1
