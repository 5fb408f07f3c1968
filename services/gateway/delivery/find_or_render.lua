-- Search as lookup.lua does. If the image is there, and the rendition is not, send a request for it as
-- push_if_served.lua does. If no worker makes the rendition, one has room for it, and it needs to know nothing
-- else, the request has the rendition's claim, and what the record of the image says. Images that lie in Redis
-- are read by the worker, with their bytes.
--
-- KEYS: those of lookup.lua, the claim of the rendition, then those of push_if_served.lua.
-- ARGV: those of lookup.lua, the key of the image, a value for the claim, then those of push_if_served.lua. The
-- message is the JSON of a Render up to its source.
-- Returns what lookup.lua returns, and what push_if_served.lua returns: 0 if it was not needed.
--
-- Redis refuses to send when its memory is full, and not before: so the script has no flags.
local function part(list, from, to)
  return {unpack(list, from, to)}
end

local function is_judged(record)
  for _, name in ipairs(redis.call('HKEYS', record)) do
    if string.sub(name, 1, #VERDICT) == VERDICT then
      return true
    end
  end
end

local found = lookup(part(KEYS, 1, #KEYS - 4), part(ARGV, 1, 6))
local image, rendition = found and found[1], found and found[4]
if not image or not image[1] or rendition[2] then
  return {found, 0}
end
local claim, others = KEYS[#KEYS - 3], ARGV[1]
local key, owner, transport, message, field = unpack(ARGV, 7)
local source = cjson.encode({key = key, media_type = image[1], bytes = tonumber(image[2])})
local push_keys = part(KEYS, #KEYS - 2, #KEYS)
message = message .. source .. '}'
local offers = others == '0' and transport == 'stream' and image[5] and not image[6]
  and redis.call('EXISTS', claim) == 0 and not is_judged(KEYS[1])
if not offers then
  return {found, push(push_keys, {transport, message, field})}
end
-- The entry has the fields if the workers have room: one behind others may be read after the claim that it brings
-- has ended, and an equal one would wait for that claim in vain.
local pushed = push(push_keys, {
  transport, message, field, OWNER, owner, PLACE, image[5], DIGEST, image[4] or '',
  PROJECT, image[9] or ''
})
if pushed == 2 then
  redis.call('SET', claim, owner, 'PX', LIFE)
end
return {found, pushed}
