-- Change the label or the life of a kept image. Returns 1, 0 where the project has no such image, and -1
-- for one that is not kept.
--
-- KEYS: the record, the kept images of its project by the moment of their upload.
-- ARGV: the project; the image's key; seconds to live from now ('' to leave its life as it is, -1 for no end); a
-- label ('' for none), left out to leave it as it is.

local RECORD, LIST = unpack(KEYS)
local project, image, life, label = unpack(ARGV)

local seen = redis.call('HMGET', RECORD, 'bytes', 'held', 'project')
local exists, held = seen[1], seen[2]
if not exists or (seen[3] or DEFAULT_PROJECT) ~= project then
  return 0
end
if not redis.call('ZSCORE', LIST, image) then
  return -1
end
if label == '' then
  redis.call('HDEL', RECORD, 'label')
elseif label then
  redis.call('HSET', RECORD, 'label', label)
end
if life == '-1' then
  redis.call('PERSIST', RECORD)
elseif life ~= '' then
  -- A job that is open, or may be requeued, needs the image for a while.
  local ends = math.max(now_ms() + life * 1000, tonumber(held) or 0)
  redis.call('PEXPIREAT', RECORD, ends)
end
return 1
