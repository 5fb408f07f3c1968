-- Forget a delivery, unless its lease is another's by now: then the job has ended once more, or
-- another process delivers it.
--
-- KEYS: due deliveries, attempts. ARGV: the job, the moment (ms) at which the lease ends.
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0) == tonumber(ARGV[2]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
