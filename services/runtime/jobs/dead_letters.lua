-- Dead letters: jobs that failed for good, and what nobody can read.

-- The key of the fields of an entry that nobody could read.
local function quarantined(project, letter)
  return QUARANTINE .. (project == DEFAULT_PROJECT and '' or project .. ':') .. letter
end

-- Queue a dead letter's job again, without its results and with all of its time, which is `timeout`
-- ms if the record has none. A job that was quarantined has any state. Returns {event's id, deadline},
-- or false; {'missing', key} as `submit`.
function commands.requeue(id, images, timeout, event, text, ...)
  local record = RECORD .. id
  local seen = redis.call('HMGET', record, 'dead', 'submitter', 'v', 'timeout', 'project')
  if not seen[1] or not is_readable(seen[3]) then
    return false
  end
  timeout = seen[4] or timeout
  local project = seen[5] or DEFAULT_PROJECT
  local missing = hold(images, now + timeout + GRACE, project)
  if missing then
    return {'missing', missing}
  end
  redis.call('XDEL', letters_of(project), seen[1])
  redis.call('DEL', quarantined(project, seen[1]))
  for _, field in ipairs(redis.call('HKEYS', record)) do
    local result = string.sub(field, 1, 7) == 'result:'
    if result or field == 'dead' or field == 'problem' or field == 'not_before' then
      redis.call('HDEL', record, field)
    end
  end
  redis.call('PERSIST', record)
  redis.call('PERSIST', record .. ':events')
  join_line(id, seen[2])
  local entry, deadline = open_job(id, timeout, event, text, ...)
  feed()
  return {entry, deadline}
end

-- Add a dead letter for a job, or an entry without one (id ''), that nobody can read, and take both
-- out of every queue. The record stays for `ttl` seconds, and so do the entry's fields (`...`).
function commands.quarantine(id, entry, event, text, dead_letter, ttl, ...)
  if entry ~= '' then
    redis.pcall('XACK', JOBS, GROUP, entry)
    redis.call('XDEL', JOBS, entry)
  end
  local project = id ~= '' and redis.pcall('HGET', RECORD .. id, 'project')
  if type(project) ~= 'string' or not string.match(project, '^[a-z0-9-]+$') then
    project = DEFAULT_PROJECT
  end
  local letter = bury(project, dead_letter, ttl)
  if select('#', ...) > 0 then
    redis.call('HSET', quarantined(project, letter), ...)
    redis.call('EXPIRE', quarantined(project, letter), ttl)
  end
  if id == '' then
    return
  end
  leave_indexes(id)
  local record = RECORD .. id
  local submitter = redis.pcall('HGET', record, 'submitter')
  if type(submitter) == 'string' then
    pcall(leave_line, id, submitter)
  end
  if redis.call('EXISTS', record) == 1 then
    redis.pcall('HSET', record, 'dead', letter)
  end
  -- Clients that wait for the job learn its end. The record may be of any type.
  publish(id, event, text)
  each_key(id, 'EXPIRE', ttl)
end

-- Values of a hash as names and values in turn, `most` bytes in all; of another type its dump. Nothing
-- of a key that takes many times as much memory. Returns what is left of `most`, negative after a cut.
local function contents(key, most)
  if (redis.call('MEMORY', 'USAGE', key) or 0) > 16 * MAX_RAW then
    return {}, -1
  end
  local fields = redis.pcall('HGETALL', key)
  if fields.err then
    fields = {redis.call('TYPE', key).ok, redis.call('DUMP', key)}
  end
  local shown = {}
  for i, part in ipairs(fields) do
    shown[i] = string.sub(part, 1, math.max(0, most))
    most = most - #part
  end
  return shown, most
end

-- Return a dead letter of a project as it is stored: its own fields, those of its entry, those of its
-- job's record, and 1 if all of it is shown. False without such a letter.
function commands.raw(project, letter, id)
  local entry = redis.call('XRANGE', letters_of(project), letter, letter)[1]
  if not entry then
    return false
  end
  local fields, record, most = {}, {}, MAX_RAW
  fields, most = contents(quarantined(project, letter), most)
  if id ~= '' then
    record, most = contents(RECORD .. id, most)
  end
  return {entry[2], fields, record, most >= 0 and 1 or 0}
end

-- Remove a dead letter of a project; with `damaged` the record, which nobody can read, as well. Returns 0
-- without such a letter.
function commands.remove(project, letter, id, damaged)
  redis.call('DEL', quarantined(project, letter))
  if id ~= '' and damaged == '1' then
    each_key(id, 'DEL')
  elseif id ~= '' then
    redis.pcall('HDEL', RECORD .. id, 'dead')
  end
  return redis.call('XDEL', letters_of(project), letter)
end
