-- Search as lookup.lua does. If the image is there, and the rendition is not, send a request for it as
-- push_if_served.lua does.
--
-- KEYS: those of lookup.lua, then those of push_if_served.lua.
-- ARGV: those of lookup.lua, the key of the image, then those of push_if_served.lua. The message is the JSON
-- of a Render up to its source.
-- Returns what lookup.lua returns, and what push_if_served.lua returns: 0 if it was not needed.
--
-- Redis refuses to send when its memory is full, and not before: so the script has no flags.
local function part(list, from, to)
  return {unpack(list, from, to)}
end

local found = lookup(part(KEYS, 1, #KEYS - 3), part(ARGV, 1, 6))
local image, rendition = found and found[1], found and found[4]
if not image or not image[1] or rendition[2] then
  return {found, 0}
end
local key, transport, message, field = unpack(ARGV, 7)
local source = cjson.encode({key = key, media_type = image[1], bytes = tonumber(image[2])})
return {found, push(part(KEYS, #KEYS - 2, #KEYS), {transport, message .. source .. '}', field})}
