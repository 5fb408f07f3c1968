-- Return a part of a list of images with their moments, newest first: the first ones, or those after
-- an image that may be deleted since.
--
-- KEYS: the images by the moment of their upload. ARGV: how many at most; the moment and the digest of
-- the image before.

local LIST = KEYS[1]
local most, created, digest = unpack(ARGV)

local first = 0
if created then
  -- Images of one moment are in the order of their digests: halve their number until the place is found.
  first = redis.call('ZCOUNT', LIST, '(' .. created, '+inf')
  local last = first + redis.call('ZCOUNT', LIST, created, created)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if redis.call('ZREVRANGE', LIST, middle, middle)[1] >= digest then
      first = middle + 1
    else
      last = middle
    end
  end
end
return redis.call('ZREVRANGE', LIST, first, first + most - 1, 'WITHSCORES')
