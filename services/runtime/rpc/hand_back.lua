-- Put a request back at the end of its stream, if another living worker serves it.
--
-- KEYS: the stream's responders, the stream.
-- ARGV: the group, the request's entry, this worker's name, the field of the message, the message.
-- Returns 1; 0 if nothing was done.
local others = 0
for _, name in ipairs(alive(KEYS[1])) do
  if name ~= ARGV[3] then
    others = others + 1
  end
end
-- Another worker has reclaimed the entry if this one stood still for long.
if others == 0 or #redis.call('XPENDING', KEYS[2], ARGV[1], ARGV[2], ARGV[2], 1, ARGV[3]) == 0 then
  return 0
end
redis.call('XACK', KEYS[2], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[2], ARGV[2])
redis.call('XADD', KEYS[2], '*', ARGV[4], ARGV[5])
return 1
