-- Lease the deliveries that are due, the longest overdue first.
--
-- KEYS: due deliveries, attempts. ARGV: how many at most, lease in ms.
-- Returns for each: the job, which attempt it is, the moment (ms) at which the lease ends.
local leased_until = now_ms() + ARGV[2]
local taken = {}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms(), 'LIMIT', 0, ARGV[1])
for _, job in ipairs(due) do
  redis.call('ZADD', KEYS[1], leased_until, job)
  taken[#taken + 1] = {job, redis.call('HINCRBY', KEYS[2], job, 1), leased_until}
end
return taken
