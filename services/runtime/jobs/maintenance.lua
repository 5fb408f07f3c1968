-- Work that one process does for all: due retries, orphaned jobs. The open jobs, and their numbers.

local FINAL = {succeeded = true, failed = true, cancelled = true}

local function leave_indexes(id)
  for _, index in ipairs({QUEUED, RUNNING, LATER, DEADLINES}) do
    redis.call('ZREM', index, id)
  end
end

-- Whether a job that an index names has ended, or has no record. Then it leaves all indexes, and
-- what is left of it expires: after `ttl` seconds, or earlier if something else says so.
local function clear_ended(id, ttl)
  local record = RECORD .. id
  local ended = FINAL[redis.pcall('HGET', record, 'state')]
  if not ended and redis.call('EXISTS', record) == 1 then
    return false
  end
  leave_indexes(id)
  each_key(id, 'EXPIRE', ttl, 'LT')
  return true
end

local function set_of(list)
  local set = {}
  for _, item in ipairs(list) do
    set[item] = true
  end
  return set
end

local function jobs_in_stream()
  local ids = {}
  for _, entry in ipairs(redis.call('XRANGE', JOBS, '-', '+')) do
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'job' then
        ids[#ids + 1] = entry[2][i + 1]
      end
    end
  end
  return set_of(ids)
end

local function is_alive(worker)
  local dies_at = tonumber(redis.call('ZSCORE', RESPONDERS, worker) or 0)
  return dies_at >= now and dies_at <= now + MAX_LIFE
end

-- Queue the jobs whose retry is due, and feed workers that have come since the last job did.
-- Returns the ids of late jobs, which the caller has to end: a job whose caller dies is returned
-- again after `again` ms. Returns false when another process leads; each call renews the leader's
-- lease by `lease` ms. What ended jobs have left behind is kept for `ttl` seconds.
function commands.run_maintenance(process, lease, again, ttl)
  if not redis.call('SET', LEADER, process, 'NX', 'PX', lease) then
    -- A lease that is longer than any was given before Redis's clock went back.
    if redis.call('GET', LEADER) ~= process and redis.call('PTTL', LEADER) <= 2 * lease then
      return false
    end
    redis.call('SET', LEADER, process, 'PX', lease)
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', LATER, '-inf', now, 'LIMIT', 0, 100)) do
    if not clear_ended(id, ttl) then
      redis.call('ZREM', LATER, id)
      local submitter = redis.pcall('HGET', RECORD .. id, 'submitter')
      if type(submitter) == 'string' then
        join_line(id, submitter)
      else
        -- A damaged record: its job becomes an orphan, which is looked at.
        redis.call('ZADD', QUEUED, now, id)
      end
    end
  end
  feed()
  local late = {}
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', DEADLINES, '-inf', now, 'LIMIT', 0, 100)) do
    if not clear_ended(id, ttl) then
      redis.call('ZADD', DEADLINES, now + again, id)
      late[#late + 1] = id
    end
  end
  return late
end

-- List open jobs that are neither in a line, nor in the stream, nor with a living worker for `age` ms:
-- nobody would ever do them. Looks at about `number` jobs of an index ('queued' or 'running') from
-- `cursor` on. Returns the next cursor, which is '0' after the last job, and the ids. What ended jobs
-- have left behind is kept for `ttl` seconds.
function commands.orphans(index, cursor, number, age, ttl)
  index = index == 'running' and RUNNING or QUEUED
  local scanned = redis.call('ZSCAN', index, cursor, 'COUNT', number)
  local lines, candidates = {}, {}
  for i = 1, #scanned[2], 2 do
    local id, since = scanned[2][i], tonumber(scanned[2][i + 1])
    local record = redis.pcall('HMGET', RECORD .. id, 'submitter', 'worker', 'state')
    local submitter, worker, state = unpack(record)
    local open = state == 'queued' or state == 'running' or not clear_ended(id, ttl)
    local living = index == RUNNING and worker and is_alive(worker)
    if open and since <= now - age and not living then
      candidates[#candidates + 1] = {id, submitter}
    end
  end
  local found, in_stream = {}, nil
  for _, candidate in ipairs(candidates) do
    local id, submitter = unpack(candidate)
    if submitter and not lines[submitter] then
      lines[submitter] = set_of(redis.call('LRANGE', LINE .. submitter, 0, -1))
    end
    if not (submitter and lines[submitter][id]) then
      in_stream = in_stream or jobs_in_stream()
      if not in_stream[id] then
        found[#found + 1] = id
      end
    end
  end
  return {scanned[1], found}
end

-- Look at the places `first` to `last` of an index of open jobs. Returns how many jobs are there, and the ids
-- of those of a project. A record that is no hash is one of `default`.
function commands.open(project, index, first, last)
  local ids, own = redis.call('ZRANGE', index, first, last), {}
  for _, id in ipairs(ids) do
    local owner = redis.pcall('HGET', RECORD .. id, 'project')
    if (type(owner) == 'string' and owner or DEFAULT_PROJECT) == project then
      own[#own + 1] = id
    end
  end
  return {#ids, own}
end

-- Put an orphan whose record has another version into the stream, for a worker that can read it.
function commands.pass_on(id)
  local record = redis.call('HMGET', RECORD .. id, 'request', 'v')
  redis.call('ZREM', QUEUED, id)
  redis.call('XADD', JOBS, '*', DATA, record[1] or '', 'job', id, 'v', record[2] or 1)
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
