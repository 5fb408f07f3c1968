-- Look up an image, the lives of others, and a rendition of them all, which lives for some seconds more at
-- least. Returns the fields of the image and its life (ms), the lives of the others, the fields of the
-- rendition and its life, the bytes that were asked for, if they are few and lie in a record, and 1 if caches
-- may not keep one of the images. Returns false without the image. An image of another project counts as one
-- that is not there.
--
-- KEYS: the record of the image, those of the others; if a rendition is asked for, its record, and the index
-- of each image.
-- ARGV: number of others; whose bytes are asked for: 'image', 'rendition' or ''; seconds to live; the moment
-- (s) at which the rendition has expired for certain; its key; the project.

local others, kind, ttl, ends, key, project = unpack(ARGV)

-- The order of FIELDS in records.py.
local function fields_of(record)
  return redis.call(
    'HMGET', record, 'media_type', 'bytes', 'note', 'digest', 'place', 'damaged', 'label', 'created',
    'project', 'no_store'
  )
end

local function bytes_of(record, fields)
  local size, place = fields[2], fields[5]
  return size and not place and tonumber(size) <= ALONG and redis.call('HGET', record, 'data')
end

local image = fields_of(KEYS[1])
if not image[2] or (image[9] or DEFAULT_PROJECT) ~= project then
  return false
end
local life, lives, no_store = redis.call('PTTL', KEYS[1]), {}, image[10]
for number = 1, others do
  local record = KEYS[1 + number]
  local seen = redis.call('HMGET', record, 'project', 'no_store')
  local own = (seen[1] or DEFAULT_PROJECT) == project
  no_store = no_store or seen[2]
  lives[number] = own and redis.call('PTTL', record) or -2
end
local rendition, left, data = false, -2, kind == 'image' and bytes_of(KEYS[1], image)
local record = KEYS[2 + others]
if record then
  rendition = fields_of(record)
  if rendition[2] then
    redis.call('EXPIRE', record, ttl, 'GT')
    left = redis.call('PTTL', record)
    for number = 3 + others, #KEYS do
      redis.call('ZADD', KEYS[number], 'XX', 'GT', ends, key)
      redis.call('EXPIRE', KEYS[number], ttl, 'GT')
    end
    data = kind == 'rendition' and bytes_of(record, rendition)
  end
end
return {image, life, lives, rendition, left, data, no_store and 1 or 0}
