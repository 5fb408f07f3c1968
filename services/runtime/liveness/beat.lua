-- Report that a worker is alive, for every address that it serves, and remove those that have been
-- dead for a minute. A heartbeat that would count for much longer than this one was sent before
-- Redis's clock went back; from now on it counts as long as this one. Returns Redis's time.
--
-- KEYS: the workers' hash; then for each address its responders and their capacities.
-- ARGV: the worker's name, how long the heartbeat counts in ms, its report, its capacity.
local time = redis.call('TIME')
local now = now_ms()
for i = 2, #KEYS, 2 do
  redis.call('ZADD', KEYS[i], now + ARGV[2], ARGV[1])
  redis.call('HSET', KEYS[i + 1], ARGV[1], ARGV[4])
  for _, early in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], now + 2 * ARGV[2], '+inf')) do
    redis.call('ZADD', KEYS[i], now + ARGV[2], early)
  end
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', now - 60000)) do
    redis.call('ZREM', KEYS[i], dead)
    redis.call('HDEL', KEYS[i + 1], dead)
    redis.call('HDEL', KEYS[1], dead)
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return time
