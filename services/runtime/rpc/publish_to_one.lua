-- Publish a request to the own channel of one worker, so that no claim is needed: to each worker in
-- proportion to its capacity, and to the next one if that worker has just gone. Without a living
-- worker, publish to the shared channel.
--
-- KEYS: the address's responders and their capacities, the address.
-- ARGV: the message, a fraction from 0 to 1 that chooses the worker, what stands between the address
-- and a worker's name in the name of its own channel.
-- Returns the number of subscribers that received the message.
local names, each, capacity = capacities(KEYS[1], KEYS[2])
local place, chosen = ARGV[2] * capacity, 1
while chosen < #names and place >= each[chosen] do
  place = place - each[chosen]
  chosen = chosen + 1
end
for i = 0, #names - 1 do
  local name = names[(chosen - 1 + i) % #names + 1]
  if redis.call('PUBLISH', KEYS[3] .. ARGV[3] .. name, ARGV[1]) > 0 then
    return 1
  end
end
return redis.call('PUBLISH', KEYS[3], ARGV[1])
