-- The job system's state in Redis, and every change of it that is allowed. Owner: jobs.py.
--
-- A job has a record (a hash) and its own events (a stream); while it is open it is in exactly one
-- of these: its submitter's line (a list), the jobs stream, or, until a retry is due, `later`.
-- Submitters whose line is not empty take turns in handing a job to the stream, which is kept short,
-- so that a thousand jobs of one do not delay the next one's first.
--
-- KEYS: the streams of jobs, events and dead letters, the jobs stream's responders and rooms.
-- ARGV: the command, and what it takes. Times are Redis's own, in milliseconds.

local JOBS, EVENTS, DEAD, RESPONDERS, ROOMS = unpack(KEYS)
local RECORD, LINE, TURNS = 'darkroom:job:', 'darkroom:jobs:line:', 'darkroom:jobs:turns'
local QUEUED, RUNNING, LATER = 'darkroom:jobs:queued', 'darkroom:jobs:running', 'darkroom:jobs:later'
local ENDED, LEADER, WEBHOOKS = 'darkroom:jobs:ended:', 'darkroom:housekeeper', 'darkroom:webhooks'
local GROUP, DATA, NOBODY = 'imaging', '__data__', string.rep('0', 32)
local EVENTS_KEPT, DEAD_KEPT, LEAST_ROOM = 10000, 10000, 4
local ALLOWED = {
  queued = {running = true, queued = true, cancelled = true},
  running = {running = true, queued = true, succeeded = true, failed = true, cancelled = true},
  failed = {queued = true},
}

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function room()
  local sum = 0
  local names = redis.call('ZRANGEBYSCORE', RESPONDERS, now, '+inf')
  if #names > 0 then
    for _, has in ipairs(redis.call('HMGET', ROOMS, unpack(names))) do
      sum = sum + (tonumber(has) or 0)
    end
  end
  return math.max(LEAST_ROOM, sum)
end

-- From the lines to the stream, a job of each submitter at a time, as long as there is room. As the
-- workers may have more in hand than their room, there is half as much again that nobody has yet.
local function feed()
  if redis.call('EXISTS', TURNS) == 0 then
    return
  end
  local there, given = redis.call('XLEN', JOBS), redis.pcall('XPENDING', JOBS, GROUP)
  local taken = given.err and 0 or given[1]
  local free = math.max(room(), taken + math.max(1, math.floor(taken / 2))) - there
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

local function line_up(id, submitter, first)
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

-- The event and what it tells of, in the record.
local function write(id, event, ...)
  local entry = redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', DATA, event)
  redis.call('XADD', RECORD .. id .. ':events', entry, DATA, event)
  redis.call('HSET', RECORD .. id, 'event', entry, ...)
  return entry
end

local commands = {}

-- What is accepted is in Redis when this has returned. A key that was used before gives its job.
function commands.submit(id, submitter, most, oldest, key, fingerprint, key_life, event, ...)
  if key ~= '' then
    local known = redis.call('HMGET', key, 'job', 'fingerprint')
    if known[1] and redis.call('EXISTS', RECORD .. known[1]) == 1 then
      return {known[2] == fingerprint and 'known' or 'reused', known[1]}
    end
  end
  local waiting = redis.call('ZCARD', QUEUED)
  local first = redis.call('ZRANGE', QUEUED, 0, 0, 'WITHSCORES')
  if waiting >= tonumber(most) or (first[2] and now - first[2] > tonumber(oldest)) then
    return {'full', waiting}
  end
  if key ~= '' then
    redis.call('HSET', key, 'job', id, 'fingerprint', fingerprint)
    redis.call('EXPIRE', key, key_life)
  end
  line_up(id, submitter)
  local entry = write(id, event, ...)
  feed()
  return {'new', entry}
end

-- From a state that the writer has seen to another. Whoever lost the job, whose attempt is marked
-- by its token, can't write. A job that stops running leaves the stream. `where` a queued job goes:
-- 'first' or 'last' in its line, 'fair' for last if anybody waits at all, or so many milliseconds
-- later.
function commands.change(id, state, token, to, where, life, event, dead, ...)
  local record = RECORD .. id
  local was = redis.call('HMGET', record, 'state', 'token', 'submitter', 'webhook', 'entry')
  if was[1] ~= state or was[2] ~= token or not (ALLOWED[state] or {})[to] then
    return false
  end
  if where == 'fair' and redis.call('EXISTS', TURNS) == 0 then
    -- Who waits may have been let into the stream already.
    local given = redis.pcall('XPENDING', JOBS, GROUP)
    if given.err or redis.call('XLEN', JOBS) <= given[1] then
      return false
    end
  end
  local told = write(id, event, ...)
  if state == 'running' then
    redis.call('ZREM', RUNNING, id)
    if (was[5] or '') ~= '' and to ~= 'running' then
      redis.pcall('XACK', JOBS, GROUP, was[5])
      redis.call('XDEL', JOBS, was[5])
    end
  elseif redis.call('ZREM', QUEUED, id) == 0 then
    redis.call('ZREM', LATER, id)
  end
  if to == 'running' then
    redis.call('ZADD', RUNNING, now, id)
  elseif to == 'queued' then
    redis.call('PERSIST', record)
    redis.call('PERSIST', record .. ':events')
    if tonumber(where) then
      redis.call('ZADD', LATER, now + where, id)
    else
      line_up(id, was[3], where == 'first')
    end
  else
    if to == 'cancelled' then
      leave_line(id, was[3])
    else
      local bucket = ENDED .. math.floor(now / 10000)
      if redis.call('INCR', bucket) == 1 then
        redis.call('EXPIRE', bucket, 120)
      end
    end
    if dead ~= '' then
      local letter = redis.call('XADD', DEAD, 'MAXLEN', '~', DEAD_KEPT, '*', DATA, dead)
      redis.call('HSET', record, 'dead', letter)
    end
    if was[4] then
      redis.call('ZADD', WEBHOOKS, now, id)
      redis.call('HDEL', WEBHOOKS .. ':attempts', id)
    end
    redis.call('EXPIRE', record, life)
    redis.call('EXPIRE', record .. ':events', life)
  end
  feed()
  return told
end

-- As `change` to running, for a job that nobody has had before: its record, or false.
function commands.take(id, event, ...)
  if not commands.change(id, 'queued', '0', 'running', 'last', 0, event, '', ...) then
    return false
  end
  return redis.call('HGETALL', RECORD .. id)
end

-- The next entry of the stream, for a worker that has room: with the record if the job was taken
-- as above, and else with the request. `event` tells of that as if NOBODY's one variant were at stake.
function commands.take_next(worker, event, ...)
  local ask = {'XREADGROUP', 'GROUP', GROUP, worker, 'COUNT', 1, 'STREAMS', JOBS, '>'}
  local read = redis.pcall(unpack(ask))
  if not read then
    feed()
    read = redis.pcall(unpack(ask))
  end
  if not read or read.err then
    return false
  end
  local entry, fields = unpack(read[1][2][1])
  local request, id = fields[2], fields[4]
  local total = redis.call('HGET', RECORD .. id, 'total') or 1
  event = string.gsub(string.gsub(event, NOBODY, id), '"total":1', '"total":' .. total)
  return {entry, commands.take(id, event, 'entry', entry, ...) or request}
end

-- Back from the dead letters, with nothing done.
function commands.requeue(id, event, ...)
  local record = RECORD .. id
  local was = redis.call('HMGET', record, 'state', 'dead', 'submitter')
  if was[1] ~= 'failed' or not was[2] then
    return false
  end
  redis.call('XDEL', DEAD, was[2])
  for _, field in ipairs(redis.call('HKEYS', record)) do
    if field == 'dead' or field == 'problem' or string.sub(field, 1, 7) == 'result:' then
      redis.call('HDEL', record, field)
    end
  end
  redis.call('PERSIST', record)
  redis.call('PERSIST', record .. ':events')
  line_up(id, was[3])
  local entry = write(id, event, ...)
  feed()
  return entry
end

-- One process keeps house, for as long as it says so. It lines up the jobs whose retry is due, and
-- fills the stream for workers that have come since the last job did.
function commands.run_maintenance(worker, life)
  if not redis.call('SET', LEADER, worker, 'NX', 'PX', life) then
    if redis.call('GET', LEADER) ~= worker then
      return 0
    end
    redis.call('PEXPIRE', LEADER, life)
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LATER, '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', LATER, id)
    local submitter = redis.call('HGET', RECORD .. id, 'submitter')
    if submitter then
      line_up(id, submitter)
    end
  end
  feed()
  return 1
end

-- Open jobs that nobody will come to, because their place in the line or the stream has been lost.
function commands.orphans(age, most)
  local there = {}
  for _, entry in ipairs(redis.call('XRANGE', JOBS, '-', '+')) do
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'job' then
        there[entry[2][i + 1]] = true
      end
    end
  end
  local found = {}
  for _, index in ipairs({QUEUED, RUNNING}) do
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now - age, 'LIMIT', 0, most)) do
      local record = redis.call('HMGET', RECORD .. id, 'submitter', 'worker')
      local submitter, worker = record[1], record[2]
      local alive = index == RUNNING and worker and redis.call('ZSCORE', RESPONDERS, worker)
      if not submitter then
        redis.call('ZREM', index, id)
      elseif tonumber(alive or 0) > now then
        -- Its worker is at it, whatever became of its entry.
      elseif not there[id] and not redis.call('LPOS', LINE .. submitter, id) then
        found[#found + 1] = id
      end
    end
  end
  return found
end

-- What waits, runs, waits for a retry; since when the first waits; what ended in the last minute.
function commands.outlook()
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
