-- The job system's state in Redis, its queues and records. transitions.py puts this file before each
-- file with commands. Redis runs a script from its first line at each call, so a script has few
-- functions: a function that only one file needs is in that file.
--
-- A job has a record (a hash) and its own events (a list). While it is open it is in exactly one
-- of these: its submitter's line (a list), the jobs stream, or the set LATER until a retry is due.
-- Submitters with queued jobs take turns in moving a job to the stream, which is kept short, so that
-- a thousand jobs of one submitter do not delay another's first. An open job is in the set DEADLINES
-- as well: no job waits or runs for ever.
--
-- KEYS: the streams of jobs, events and dead letters; the jobs stream's responders and capacities.
-- ARGV: the command's name, then its arguments. Times are Redis's own, in milliseconds.

local JOBS, EVENTS, DEAD, RESPONDERS, CAPACITIES = unpack(KEYS)
local now = now_ms()
local commands = {}

-- Whether this version can read, and so may change, a record with the version `v`: its own or the
-- one before. A record of version 1 has no such field.
local function is_readable(v)
  local version = tonumber(v or 1)
  return version == VERSION or version == VERSION - 1
end

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
    -- A damaged record must not stop the others: its job becomes an orphan, which is looked at.
    local record = id and redis.pcall('HMGET', RECORD .. id, 'state', 'request', 'v') or {}
    if record[1] == 'queued' then
      redis.call('XADD', JOBS, '*', DATA, record[2] or '', 'job', id, 'v', record[3] or 1)
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

-- Run a command with the job's record, its events, and its events as version 1 has them.
local function each_key(id, command, ...)
  redis.call(command, RECORD .. id, ...)
  redis.call(command, RECORD .. id .. ':log', ...)
  redis.call(command, RECORD .. id .. ':events', ...)
end

-- Publish an event, and add it to the job's own ones, where `text` stands for it: see own_events.py.
-- Returns the event's id.
local function publish(id, event, text)
  local entry = redis.call('XADD', EVENTS, 'MAXLEN', '~', EVENTS_KEPT, '*', DATA, event)
  local list, stream = RECORD .. id .. ':log', RECORD .. id .. ':events'
  -- If a process of version 1 has made the stream, such a process may still read it.
  local added = redis.pcall('XADD', stream, 'NOMKSTREAM', entry, DATA, event)
  if type(added) == 'string' then
    return entry
  elseif added then
    redis.call('DEL', stream)
  end
  if type(redis.pcall('RPUSH', list, entry .. ' ' .. text)) == 'table' then
    -- A key of another type. The job goes on, and its events anew.
    redis.call('DEL', list)
    redis.call('RPUSH', list, entry .. ' ' .. text)
  end
  return entry
end

-- Publish an event and write the fields it reports to the record. Returns the event's id.
local function write(id, event, text, ...)
  local entry = publish(id, event, text)
  redis.call('HSET', RECORD .. id, 'event', entry, ...)
  return entry
end

-- The stream of a project's dead letters.
local function letters_of(project)
  return project == DEFAULT_PROJECT and DEAD or DEAD .. ':' .. project
end

-- Add a dead letter to those of its project, and trim those that are older than any job's record, which
-- lives for `ttl` seconds. Returns its id.
local function bury(project, letter, ttl)
  local stream = letters_of(project)
  local id = redis.call('XADD', stream, 'MAXLEN', '~', DEAD_KEPT, '*', DATA, letter)
  redis.call('XTRIM', stream, 'MINID', '~', now - 2000 * ttl)
  redis.call('EXPIRE', stream, 2 * ttl)
  return id
end

-- Keep images of a project, given by their keys with spaces between, until `moment` at least. Returns
-- the key of one that the project has not, or nil. An open job's images are kept beyond its deadline, so that
-- they never expire before the job has ended.
local function hold(images, moment, project)
  for key in string.gmatch(images, '%S+') do
    -- An image that is being stored has no size yet. A key of another type is no image.
    local seen = redis.pcall('HMGET', IMAGE .. key, 'bytes', 'held', 'project')
    if not seen[1] or (seen[3] or DEFAULT_PROJECT) ~= project then
      return key
    end
    -- A client may shorten the life of an image that it has uploaded, but not below this.
    if (tonumber(seen[2]) or 0) < moment then
      redis.call('HSET', IMAGE .. key, 'held', moment)
    end
    local expires = redis.call('PEXPIRETIME', IMAGE .. key)
    if expires ~= -1 and expires < moment then
      redis.call('PEXPIREAT', IMAGE .. key, moment)
    end
  end
end

-- Open a job, which has to end in `timeout` ms at the latest; then as `write`. Returns the event's
-- id and the deadline.
local function open_job(id, timeout, event, text, ...)
  local deadline = now + timeout
  redis.call('ZADD', DEADLINES, deadline, id)
  local entry = write(id, event, text, 'deadline', deadline, ...)
  -- A process of version 1 that ends the job leaves the list as it is: it must not stay for ever.
  redis.call('PEXPIREAT', RECORD .. id .. ':log', deadline + EVENTS_LIFE)
  return entry, deadline
end
