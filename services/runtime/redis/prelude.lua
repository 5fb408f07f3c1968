-- Functions that scripts have in common. scripts.py puts this before each of them.

local moment

-- Redis's own time in milliseconds, so that the clocks of the hosts don't matter. It stands still
-- while a script runs.
local function now_ms()
  if not moment then
    local time = redis.call('TIME')
    moment = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return moment
end

-- The longest life of a heartbeat in ms. One that ends later was sent before Redis's clock went back.
local MAX_LIFE = 30000

-- The names of the workers in a sorted set of responders whose heartbeat has not run out.
local function alive(responders)
  local now = now_ms()
  return redis.call('ZRANGEBYSCORE', responders, now, now + MAX_LIFE)
end

-- The living workers' names, the capacity of each, and the sum.
local function capacities(responders, capacity_hash)
  local names, each, sum = alive(responders), {}, 0
  if #names > 0 then
    each = redis.call('HMGET', capacity_hash, unpack(names))
  end
  for i, capacity in ipairs(each) do
    each[i] = tonumber(capacity) or 0
    sum = sum + each[i]
  end
  return names, each, sum
end
