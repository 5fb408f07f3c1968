-- Make a delivery due again after a delay, unless its lease is another's by now.
--
-- KEYS: due deliveries. ARGV: the job, the moment (ms) at which the lease ends, delay in ms.
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0) == tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], now_ms() + ARGV[3], ARGV[1])
end
