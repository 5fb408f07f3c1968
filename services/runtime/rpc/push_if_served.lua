-- Push a request to a list or a stream, if a living worker serves it.
--
-- KEYS: the address's responders and their capacities, the address.
-- ARGV: 'list' or 'stream', the message, the stream's field for it; further fields and their values in turn,
-- which the stream's entry has if the living workers will soon take all that is in the stream: while work is
-- short, they take more than they report.
-- Returns 1, and 2 with the further fields; 0 without a living worker; the negative length of a queue that has
-- reached four times the living workers' capacity. After 0 or less nothing was pushed.
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
elseif ARGV[4] and waiting < 2 * capacity then
  redis.call('XADD', KEYS[3], '*', ARGV[3], ARGV[2], unpack(ARGV, 4))
  return 2
else
  redis.call('XADD', KEYS[3], '*', ARGV[3], ARGV[2])
end
return 1
