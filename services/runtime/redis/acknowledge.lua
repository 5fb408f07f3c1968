-- Acknowledge an entry and delete it, in one step: only for the consumer that has it, because an
-- entry that another consumer has claimed is not done.
--
-- KEYS: the stream. ARGV: group, entry, consumer.
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3]) == 0 then
  return 0
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
