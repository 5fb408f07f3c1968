-- The job system's state in Redis, and every change of it that is allowed. transitions.py loads it.
--
-- A job has a record (a hash) and its own events (a stream). While it is open it is in exactly one
-- of these: its submitter's line (a list), the jobs stream, or the set LATER until a retry is due.
-- Submitters with queued jobs take turns in moving a job to the stream, which is kept short, so that
-- a thousand jobs of one submitter do not delay another's first. An open job is in the set DEADLINES
-- as well: no job waits or runs for ever.
--
-- KEYS: the streams of jobs, events and dead letters; the jobs stream's responders and capacities.
-- ARGV: the command's name, then its arguments. Times are Redis's own, in milliseconds.

local JOBS, EVENTS, DEAD, RESPONDERS, CAPACITIES = unpack(KEYS)
local ALLOWED = {
  queued = {running = true, queued = true, failed = true, cancelled = true},
  running = {running = true, queued = true, succeeded = true, failed = true, cancelled = true},
  failed = {queued = true},
}

local now = now_ms()

-- How many entries of the stream workers have been given and have not acknowledged; nil before the
-- first worker has made the group.
local function pending()
  local summary = redis.pcall('XPENDING', JOBS, GROUP)
  return not summary.err and summary[1] or nil
end

-- Move jobs from the lines to the stream, one of each submitter in turn, while the stream has fewer
-- than the workers' capacity. A worker may hold more than its capacity; then the stream gets half as
-- many again, so that the next job is there already.
local function feed()
  if redis.call('EXISTS', TURNS) == 0 then
    return
  end
  local _, _, capacity = capacities(RESPONDERS, CAPACITIES)
  local held = pending() or 0
  local target = math.max(MIN_CAPACITY, capacity, held + math.max(1, math.floor(held / 2)))
  local free = target - redis.call('XLEN', JOBS)
  while free > 0 do
    local submitter = redis.call('LPOP', TURNS)
    if not submitter then
      return
    end
    local id = redis.call('LPOP', LINE .. submitter)
    if redis.call('LLEN', LINE .. submitter) > 0 then
      redis.call('RPUSH', TURNS, submitter)
    end
    local record = id and redis.call('HMGET', RECORD .. id, 'state', 'request') or {}
    if record[1] == 'queued' then
      redis.call('XADD', JOBS, '*', DATA, record[2], 'job', id)
    end
    free = free - 1
  end
end

local function join_line(id, submitter, first)
  local push = first and 'LPUSH' or 'RPUSH'
  if redis.call(push, LINE .. submitter, id) == 1 then
    redis.call(push, TURNS, submitter)
  end
  redis.call('ZADD', QUEUED, now, id)
end

local function leave_line(id, submitter)
  redis.call('LREM', LINE .. submitter, 1, id)
  if redis.call('EXISTS', LINE .. submitter) == 0 then
    redis.call('LREM', TURNS, 0, submitter)
  end
end

-- Publish an event and write the fields it reports to the record. Returns the event's id.
local function write(id, event, ...)
  local entry = redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', DATA, event)
  redis.call('XADD', RECORD .. id .. ':events', entry, DATA, event)
  redis.call('HSET', RECORD .. id, 'event', entry, ...)
  return entry
end

local function persist(record)
  redis.call('PERSIST', record)
  redis.call('PERSIST', record .. ':events')
end

-- Keep images, given by their keys with spaces between, until `moment` at least. Returns the key of
-- one that is not stored, or nil. An open job's images are kept beyond its deadline, so that they
-- never expire before the job has ended.
local function hold(images, moment)
  for key in string.gmatch(images, '%S+') do
    -- An image that is being stored has no size yet.
    if redis.call('HEXISTS', IMAGE .. key, 'bytes') == 0 then
      return key
    end
    local expires = redis.call('PEXPIRETIME', IMAGE .. key)
    if expires ~= -1 and expires < moment then
      redis.call('PEXPIREAT', IMAGE .. key, moment)
    end
  end
end

-- Give an open job `timeout` ms from now on. Returns the deadline.
local function set_deadline(id, timeout)
  local deadline = now + timeout
  redis.call('ZADD', DEADLINES, deadline, id)
  redis.call('HSET', RECORD .. id, 'timeout', timeout, 'deadline', deadline)
  return deadline
end

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
  local entry = write(id, event, ...)
  feed()
  return {'new', entry, deadline}
end

-- Change a job from the state and lease (token) that the caller has seen to another state. Returns
-- the event's id, or false when the job has changed meanwhile: its lease is somebody else's. `where`
-- says where a queued job goes: 'first' or 'last' in its line, 'fair' for last if another job waits,
-- or a number of milliseconds until a retry. A job that stops running leaves the stream. The
-- `images` of a dead letter are kept as long as its record, so that it can be requeued.
function commands.change(id, state, token, to, where, ttl, event, dead_letter, images, ...)
  local record = RECORD .. id
  local seen = redis.call('HMGET', record, 'state', 'token', 'submitter', 'webhook', 'entry')
  local submitter, webhook, entry = seen[3], seen[4], seen[5]
  if seen[1] ~= state or seen[2] ~= token or not (ALLOWED[state] or {})[to] then
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
-- the job's id ('' in an entry without one) and the job's record, or false where the job was not
-- taken; false without an entry.
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
  event.total = tonumber(redis.call('HGET', RECORD .. id, 'total') or 1)
  local sent = head .. id .. tail .. cjson.encode(event)
  return {entry, id, commands.take(id, sent, 'entry', entry, ...)}
end

-- Queue a dead letter's job again, without its results and with all of its time, which is `timeout`
-- ms if the record has none. Returns {event's id, deadline}, or false; {'missing', key} as `submit`.
function commands.requeue(id, images, timeout, event, ...)
  local record = RECORD .. id
  local seen = redis.call('HMGET', record, 'state', 'dead', 'submitter', 'timeout')
  if seen[1] ~= 'failed' or not seen[2] then
    return false
  end
  timeout = seen[4] or timeout
  local missing = hold(images, now + timeout + GRACE)
  if missing then
    return {'missing', missing}
  end
  redis.call('XDEL', DEAD, seen[2])
  for _, field in ipairs(redis.call('HKEYS', record)) do
    if field == 'dead' or field == 'problem' or string.sub(field, 1, 7) == 'result:' then
      redis.call('HDEL', record, field)
    end
  end
  persist(record)
  join_line(id, seen[3])
  local deadline = set_deadline(id, timeout)
  local entry = write(id, event, ...)
  feed()
  return {entry, deadline}
end

-- Queue the jobs whose retry is due, and feed workers that have come since the last job did.
-- Returns the ids of late jobs, which the caller has to end: a job whose caller dies is returned
-- again after `again` ms. Returns false when another process leads; each call renews the leader's
-- lease by `lease` ms.
function commands.run_maintenance(process, lease, again)
  if not redis.call('SET', LEADER, process, 'NX', 'PX', lease) then
    if redis.call('GET', LEADER) ~= process then
      return false
    end
    redis.call('PEXPIRE', LEADER, lease)
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LATER, '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', LATER, id)
    local submitter = redis.call('HGET', RECORD .. id, 'submitter')
    if submitter then
      join_line(id, submitter)
    end
  end
  feed()
  local late = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', now, 'LIMIT', 0, 100)) do
    if redis.call('EXISTS', RECORD .. id) == 1 then
      redis.call('ZADD', DEADLINES, now + again, id)
      late[#late + 1] = id
    else
      redis.call('ZREM', DEADLINES, id)
    end
  end
  return late
end

-- List open jobs, `most` at most, that are neither in a line, nor in the stream, nor with a living
-- worker for `age` ms: nobody would ever do them.
function commands.orphans(age, most)
  local in_stream = {}
  for _, entry in ipairs(redis.call('XRANGE', JOBS, '-', '+')) do
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'job' then
        in_stream[entry[2][i + 1]] = true
      end
    end
  end
  local found = {}
  for _, index in ipairs({QUEUED, RUNNING}) do
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now - age, 'LIMIT', 0, most)) do
      local record = redis.call('HMGET', RECORD .. id, 'submitter', 'worker')
      local submitter, worker = record[1], record[2]
      local dies_at = index == RUNNING and worker and redis.call('ZSCORE', RESPONDERS, worker)
      local is_worked_on = tonumber(dies_at or 0) > now
      if not submitter then
        redis.call('ZREM', index, id)
      elseif not is_worked_on and not in_stream[id]
        and not redis.call('LPOS', LINE .. submitter, id) then
        found[#found + 1] = id
      end
    end
  end
  return found
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

return commands[ARGV[1]](unpack(ARGV, 2))
