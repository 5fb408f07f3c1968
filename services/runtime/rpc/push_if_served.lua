-- Push a request to a list or a stream, if a living worker serves it.
--
-- KEYS: the address's responders and their capacities, the address.
-- ARGV: 'list' or 'stream', the message, the stream's field for it, further fields of the stream's entry and
-- their values in turn.
-- Returns 1; 0 without a living worker; the negative length of a queue that has reached four times
-- the living workers' capacity. After 0 or less nothing was pushed.
local names, _, capacity = capacities(KEYS[1], KEYS[2])
if #names == 0 then
  return 0
end
local waiting = redis.call(ARGV[1] == 'list' and 'LLEN' or 'XLEN', KEYS[3])
if waiting >= 4 * capacity then
  return -waiting
end
if ARGV[1] == 'list' then
  redis.call('RPUSH', KEYS[3], ARGV[2])
else
  redis.call('XADD', KEYS[3], '*', ARGV[3], ARGV[2], unpack(ARGV, 4))
end
return 1
