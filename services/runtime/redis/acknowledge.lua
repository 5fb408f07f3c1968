-- Acknowledge entries and delete them, in one step: only those that the consumer has, because an entry
-- that another consumer has claimed is not done.
--
-- KEYS: the stream. ARGV: group, consumer, entries. Returns the number of deleted entries.
local done = {}
for i = 3, #ARGV do
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) > 0 then
    done[#done + 1] = ARGV[i]
  end
end
if #done == 0 then
  return 0
end
redis.call('XACK', KEYS[1], ARGV[1], unpack(done))
return redis.call('XDEL', KEYS[1], unpack(done))
