-- Delete renditions of an image, and note that their bytes are to be deleted from the store. A writer of the
-- same rendition finds the note, and puts its bytes again. Those of another project are left. Returns how
-- many left the index, how many of them there were, and the paths.
--
-- KEYS: the index of the image's renditions, the paths that are being deleted, the sizes of what is in the
-- store, and the record of each rendition.
-- ARGV: project, the place of renditions, and the key and the path of each.

local INDEX, DELETING, USAGE = unpack(KEYS)
local project, place = unpack(ARGV)

local forgotten, number, paths = 0, 0, {}
for i = 4, #KEYS do
  local rendition, path = ARGV[2 * i - 5], ARGV[2 * i - 4]
  local seen = redis.call('HMGET', KEYS[i], 'place', 'bytes', 'project')
  if not seen[2] or (seen[3] or DEFAULT_PROJECT) == project then
    if seen[1] then
      redis.call('ZADD', DELETING, now_ms(), path)
      redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':objects', -1)
      redis.call('HINCRBY', USAGE, project .. ':' .. place .. ':bytes', -(seen[2] or 0))
      table.insert(paths, path)
    end
    number = number + redis.call('UNLINK', KEYS[i])
    forgotten = forgotten + redis.call('ZREM', INDEX, rendition)
  end
end
return {forgotten, number, paths}
