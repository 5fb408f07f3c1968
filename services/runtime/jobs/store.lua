-- The life of an accepted job: taken, changed, ended. Each command is one step.

local ALLOWED = {
  queued = 'running queued failed cancelled',
  running = 'running queued succeeded failed cancelled',
  failed = 'queued',
}

-- What the commands have done that commands.lua fills the stream for.
local starts, makes_room = false, false

-- Whether the stream has a job that is not given to a worker yet.
local function is_next_ready()
  local held = pending()
  return held and redis.call('XLEN', JOBS) > held
end

-- Change a job from the state and lease (token) that the caller has seen to another state. Returns
-- the event's id, or false when the job has changed meanwhile (its lease is somebody else's) or has a
-- record that can't be read. `where` says where a queued job goes: 'first' or 'last' in its line,
-- 'fair' for last if another job waits, or a number of milliseconds until a retry. A job that stops
-- running leaves the stream. The `images` of a dead letter are kept as long as its record, so that it
-- can be requeued.
function commands.change(id, state, token, to, where, ttl, event, text, dead_letter, images, ...)
  local record = RECORD .. id
  local seen = redis.pcall('HMGET', record, 'state', 'token', 'submitter', 'webhook', 'entry', 'v', 'project')
  local submitter, webhook, entry = seen[3], seen[4], seen[5]
  if seen[1] ~= state or seen[2] ~= token or not is_readable(seen[6]) then
    return false
  end
  if not string.find(ALLOWED[state] or '', to, 1, true) then
    return false
  end
  if where == 'fair' and redis.call('EXISTS', TURNS) == 0 and not is_next_ready() then
    return false
  end
  local event_id
  if state == 'running' and to ~= 'running' and (entry or '') ~= '' then
    event_id = write(id, event, text, 'entry', '', ...)
    redis.pcall('XACK', JOBS, GROUP, entry)
    redis.call('XDEL', JOBS, entry)
  else
    event_id = write(id, event, text, ...)
  end
  if state == 'running' then
    redis.call('ZREM', RUNNING, id)
  elseif redis.call('ZREM', QUEUED, id) == 0 then
    redis.call('ZREM', LATER, id)
  end
  if to == 'running' then
    redis.call('ZADD', RUNNING, now, id)
  elseif to == 'queued' then
    redis.call('PERSIST', record)
    if tonumber(where) then
      redis.call('ZADD', LATER, now + where, id)
    else
      join_line(id, submitter, where == 'first')
    end
  else
    if state == 'queued' then
      leave_line(id, submitter)
    end
    if to ~= 'cancelled' then
      local counter = ENDED .. math.floor(now / 10000)
      if redis.call('INCR', counter) == 1 then
        redis.call('EXPIRE', counter, 120)
      end
    end
    redis.call('ZREM', DEADLINES, id)
    if dead_letter ~= '' then
      local project = seen[7] or DEFAULT_PROJECT
      hold(images, now + ttl * 1000, project)
      redis.call('HSET', record, 'dead', bury(project, dead_letter, ttl))
    end
    if webhook then
      redis.call('ZADD', WEBHOOKS, now, id)
      redis.call('HDEL', WEBHOOK_ATTEMPTS, id)
    end
    each_key(id, 'EXPIRE', ttl)
  end
  starts = starts or to == 'running'
  makes_room = makes_room or to ~= 'running'
  return event_id
end

-- An event with the job's label, which a worker that takes the job does not know yet.
local function labelled(id, event)
  local label = redis.pcall('HGET', RECORD .. id, 'label')
  if type(label) ~= 'string' then
    return event
  end
  return string.sub(event, 1, -2) .. ',"label":' .. cjson.encode(label) .. '}'
end

-- Change a job to running that no worker has had before. Returns its record, or false.
function commands.take(id, event, text, ...)
  event = labelled(id, event)
  if not commands.change(id, 'queued', '0', 'running', 'last', 0, event, text, '', '', ...) then
    return false
  end
  return redis.call('HGETALL', RECORD .. id)
end

-- Give the worker the next entry of the stream, and take its job as above. Returns the entry's id,
-- its fields, and the job's record or false where the job was not taken; false without an entry.
-- The event is in four parts: between them come the job's id, the id again, and the job's total,
-- with which `text` begins.
function commands.take_next(worker, head, middle, tail, last, text, ...)
  local read_one = {'XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', 1, 'STREAMS', JOBS, '>'}
  local read = redis.pcall(unpack(read_one))
  if not read then
    feed()
    read = redis.pcall(unpack(read_one))
  end
  if not read or read.err then
    return false
  end
  local entry, fields = unpack(read[1][2][1])
  local id = fields[4] or ''
  local total = tonumber(redis.pcall('HGET', RECORD .. id, 'total')) or 1
  local event = head .. id .. middle .. id .. tail .. total .. last
  return {entry, fields, commands.take(id, event, total .. text, 'entry', entry, ...)}
end
