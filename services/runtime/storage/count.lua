-- Add up what is hot, write the sum, and return it: the sum counts a blob twice that was stored twice.
--
-- KEYS: the sizes of what is hot, their sum.
local sum = 0
for _, size in ipairs(redis.call('HVALS', KEYS[1])) do
  sum = sum + size
end
redis.call('SET', KEYS[2], sum)
return sum
