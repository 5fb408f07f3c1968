-- The beginning of a job.

-- Accept a job: {'new', event id}. With an idempotency key that was used before: {'known', job id}
-- for the same request, {'reused', job id} for another. {'full', number} past the limits;
-- {'missing', key} of an image that is not stored in the project. `timeout` is in ms. The first image is
-- the source: the JSON of `request` goes up to its description, which its record has. Without a `label`,
-- the job has the source's. Behind the event's id come its deadline, and the source's type, size and label.
function commands.submit(id, project, submitter, max_queued, max_age, key, fingerprint, key_ttl, images,
    timeout, label, event, text, request, ...)
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
  local missing = hold(images, now + timeout + GRACE, project)
  if missing then
    return {'missing', missing}
  end
  local source = string.match(images, '%S+')
  local media_type, bytes, own_label = unpack(
    redis.call('HMGET', IMAGE .. source, 'media_type', 'bytes', 'label')
  )
  if not media_type or not tonumber(bytes) then
    return {'missing', source}
  end
  label = label ~= '' and label or own_label or ''
  if label ~= '' then
    event = string.sub(event, 1, -2) .. ',"label":' .. cjson.encode(label) .. '}'
  end
  local described = cjson.encode({key = source, media_type = media_type, bytes = tonumber(bytes)})
  if key ~= '' then
    redis.call('HSET', key, 'job', id, 'fingerprint', fingerprint)
    redis.call('EXPIRE', key, key_ttl)
  end
  local others_wait = redis.call('EXISTS', TURNS) == 1
  join_line(id, submitter)
  local entry, deadline = open_job(id, timeout, event, text, 'request', request .. described .. '}', ...)
  if label ~= '' then
    redis.call('HSET', RECORD .. id, 'label', label)
  end
  if not others_wait then
    feed()
  end
  return {'new', entry, deadline, media_type, bytes, label}
end
