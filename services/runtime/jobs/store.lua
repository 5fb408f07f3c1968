-- The life of a job: accepted, taken, changed, ended. Each command is one step.

local commands = {}

-- Accept a job: {'new', event id}. With an idempotency key that was used before: {'known', job id}
-- for the same request, {'reused', job id} for another. {'full', number} past the limits;
-- {'missing', key} of an image that is not stored. `timeout` is in ms.
function commands.submit(id, submitter, max_queued, max_age, key, fingerprint, key_ttl, images,
    timeout, event, ...)
  if key ~= '' then
    local known = redis.call('HMGET', key, 'job', 'fingerprint')
    if known[1] and redis.call('EXISTS', RECORD .. known[1]) == 1 then
      return {known[2] == fingerprint and 'known' or 'reused', known[1]}
    end
  end
  local queued = redis.call('ZCARD', QUEUED)
  local first = redis.call('ZRANGE', QUEUED, 0, 0, 'WITHSCORES')
  if queued >= tonumber(max_queued) or (first[2] and now - first[2] > tonumber(max_age)) then
    return {'full', queued}
  end
  local missing = hold(images, now + timeout + GRACE)
  if missing then
    return {'missing', missing}
  end
  if key ~= '' then
    redis.call('HSET', key, 'job', id, 'fingerprint', fingerprint)
    redis.call('EXPIRE', key, key_ttl)
  end
  join_line(id, submitter)
  local deadline = set_deadline(id, timeout)
  local entry = write(id, event, 'timeout', timeout, 'deadline', deadline, ...)
  feed()
  return {'new', entry, deadline}
end

-- Change a job from the state and lease (token) that the caller has seen to another state. Returns
-- the event's id, or false when the job has changed meanwhile (its lease is somebody else's) or has a
-- record that can't be read. `where` says where a queued job goes: 'first' or 'last' in its line,
-- 'fair' for last if another job waits, or a number of milliseconds until a retry. A job that stops
-- running leaves the stream. The `images` of a dead letter are kept as long as its record, so that it
-- can be requeued.
function commands.change(id, state, token, to, where, ttl, event, dead_letter, images, ...)
  local record = RECORD .. id
  local fields = {'state', 'token', 'submitter', 'webhook', 'entry', 'v'}
  local seen = redis.pcall('HMGET', record, unpack(fields))
  local submitter, webhook, entry = seen[3], seen[4], seen[5]
  if seen[1] ~= state or seen[2] ~= token or not (ALLOWED[state] or {})[to] then
    return false
  end
  if not is_readable(seen[6]) then
    return false
  end
  if where == 'fair' and redis.call('EXISTS', TURNS) == 0 then
    -- A waiting job may be in the stream already, not given to a worker yet.
    local held = pending()
    if not held or redis.call('XLEN', JOBS) <= held then
      return false
    end
  end
  local event_id = write(id, event, ...)
  if state == 'running' then
    redis.call('ZREM', RUNNING, id)
    if (entry or '') ~= '' and to ~= 'running' then
      redis.pcall('XACK', JOBS, GROUP, entry)
      redis.call('XDEL', JOBS, entry)
    end
  elseif redis.call('ZREM', QUEUED, id) == 0 then
    redis.call('ZREM', LATER, id)
  end
  if to == 'running' then
    redis.call('ZADD', RUNNING, now, id)
  elseif to == 'queued' then
    persist(record)
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
      hold(images, now + ttl * 1000)
      local letter = redis.call('XADD', DEAD, 'MAXLEN', '~', DEAD_KEPT, '*', DATA, dead_letter)
      redis.call('HSET', record, 'dead', letter)
    end
    if webhook then
      redis.call('ZADD', WEBHOOKS, now, id)
      redis.call('HDEL', WEBHOOK_ATTEMPTS, id)
    end
    redis.call('EXPIRE', record, ttl)
    redis.call('EXPIRE', record .. ':events', ttl)
  end
  feed()
  return event_id
end

-- Change a job to running that no worker has had before. Returns its record, or false.
function commands.take(id, event, ...)
  if not commands.change(id, 'queued', '0', 'running', 'last', 0, event, '', '', ...) then
    return false
  end
  return redis.call('HGETALL', RECORD .. id)
end

-- Give the worker the next entry of the stream, and take its job as above. Returns the entry's id,
-- its fields, and the job's record or false where the job was not taken; false without an entry.
-- The event is `head .. job id .. tail .. body`; the body's job and total are filled in here.
function commands.take_next(worker, head, tail, body, ...)
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
  local event = cjson.decode(body)
  event.job = id
  local total = redis.pcall('HGET', RECORD .. id, 'total')
  event.total = type(total) == 'string' and tonumber(total) or 1
  local sent = head .. id .. tail .. cjson.encode(event)
  return {entry, fields, commands.take(id, sent, 'entry', entry, ...)}
end

-- Numbers of queued jobs, running ones and those that wait for a retry; the age in ms of the first
-- queued one; how many ended in the last minute.
function commands.backlog()
  local first = redis.call('ZRANGE', QUEUED, 0, 0, 'WITHSCORES')
  local ended = 0
  for ago = 1, 6 do
    ended = ended + (tonumber(redis.call('GET', ENDED .. (math.floor(now / 10000) - ago))) or 0)
  end
  return {
    redis.call('ZCARD', QUEUED),
    redis.call('ZCARD', RUNNING),
    redis.call('ZCARD', LATER),
    first[2] and now - first[2] or 0,
    ended,
  }
end
