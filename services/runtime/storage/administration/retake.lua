-- Take over deletions that other processes have left. Returns their paths, which are noted anew.
--
-- KEYS: the paths that are being deleted. ARGV: milliseconds after which a note counts as left, how many
-- paths at most.
local left = redis.call('ZRANGE', KEYS[1], '-inf', now_ms() - ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, path in ipairs(left) do
  redis.call('ZADD', KEYS[1], now_ms(), path)
end
return left
