-- Rates by the generic cell rate algorithm (GCRA), and quotas of a day (UTC).
--
-- Of a rate, the moment (us) is stored at which everything that was taken has come back: `calls` and
-- `pixels` of the first key. A caller may take what keeps that moment within a window from now, so
-- the window's worth at once and one rate in the long run. A day has its number and its pixels.
--
-- KEYS: the caller's rates, the days of its project and of its key.
-- ARGV: a command; microseconds of a call and the window of calls; microseconds of a pixel and the
-- window of pixels; pixels a day of the project and of the key ('' where there is no limit); what the
-- command takes.

local RATES = KEYS[1]
local WINDOWS_OF_DEBT = 2
-- Microseconds of now have 51 bits of a double's 53, so sums are rounded to a quarter of one. Without
-- some room, a rate whose burst is one call would never grant it.
local ROUNDING = 1
local DAY_US, DAYS_KEPT = 86400 * 1000000, 172800

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local today = math.floor(now / DAY_US)

local function rate(field, interval, window)
  if interval == '' then
    return nil
  end
  local stored = tonumber(redis.call('HGET', RATES, field) or 0)
  interval, window = tonumber(interval), tonumber(window)
  -- A clock that was set back would lock a caller out for as long.
  local moment = math.max(now, math.min(stored, now + WINDOWS_OF_DEBT * window))
  return {field = field, interval = interval, window = window, moment = moment}
end

local function day(key, limit)
  if limit == '' then
    return nil
  end
  local number, pixels = unpack(redis.call('HMGET', key, 'day', 'pixels'))
  local used = tonumber(number) == today and tonumber(pixels) or 0
  return {key = key, limit = tonumber(limit), used = used}
end

local calls = rate('calls', ARGV[2], ARGV[3])
local pixels = rate('pixels', ARGV[4], ARGV[5])
local project_day, key_day = day(KEYS[2], ARGV[6]), day(KEYS[3], ARGV[7])

-- How much may be taken now; -1 without a limit.
local function left(of)
  return of and math.max(0, math.floor((now + of.window - of.moment + ROUNDING) / of.interval)) or -1
end

local function left_today(of)
  return of and math.max(0, of.limit - of.used) or -1
end

local function save()
  local last = now
  for _, of in pairs({calls, pixels}) do
    redis.call('HSET', RATES, of.field, string.format('%.0f', math.ceil(of.moment)))
    last = math.max(last, of.moment)
  end
  if last > now then
    redis.call('PEXPIRE', RATES, math.ceil((last - now) / 1000) + 1000)
  else
    redis.call('DEL', RATES)
  end
end

local function add_to_days(cost)
  for _, of in pairs({project_day, key_day}) do
    of.used = math.max(0, of.used + cost)
    redis.call('HSET', of.key, 'day', today, 'pixels', string.format('%.0f', of.used))
    redis.call('EXPIRE', of.key, DAYS_KEPT)
  end
end

local function answer(refused_by, wait, granted)
  return {refused_by, math.ceil(wait), granted, now, left(calls), left(pixels),
    left_today(project_day), left_today(key_day)}
end

local commands = {}

-- Take up to `wanted` calls, one at least unless none is wanted, and `cost` pixels: both, or nothing.
-- Returns the policy that refuses ('' if none does), the microseconds after which it would not (-1:
-- never), the calls that were taken, the moment, and what is left of each limit (-1: no limit).
function commands.take(wanted, cost)
  wanted, cost = tonumber(wanted), tonumber(cost)
  local granted = wanted
  if calls and wanted > 0 then
    granted = math.min(wanted, left(calls))
    if granted < 1 then
      return answer('calls', calls.moment + calls.interval - now - calls.window, 0)
    end
  end
  if cost > 0 then
    for name, of in pairs({day = project_day, ['key-day'] = key_day}) do
      if of.used + cost > of.limit then
        return answer(name, cost > of.limit and -1 or (today + 1) * DAY_US - now, 0)
      end
    end
    if pixels then
      local price = cost * pixels.interval
      local wait = pixels.moment + price - now - pixels.window
      if wait > ROUNDING then
        return answer('megapixels', price > pixels.window + ROUNDING and -1 or wait, 0)
      end
      pixels.moment = pixels.moment + price
    end
    add_to_days(cost)
  end
  if calls and granted > 0 then
    calls.moment = calls.moment + granted * calls.interval
  end
  if granted > 0 or cost > 0 then
    save()
  end
  return answer('', 0, granted)
end

-- Change what was taken at the moment `at` by a number of calls and of pixels: negative ones come
-- back, and positive ones are taken whether there is room or not.
--
-- What was taken a while ago has been refilled in part. If the caller's rate was full meanwhile, that
-- part has been there a second time, so only the rest can come back.
function commands.change(at, more_calls, more_pixels)
  local passed = now - tonumber(at)
  local function shift(of, more)
    if of and more > 0 then
      of.moment = of.moment + more * of.interval
    elseif of then
      of.moment = math.max(now, of.moment - math.max(0, -more * of.interval - passed))
    end
  end
  shift(calls, tonumber(more_calls))
  shift(pixels, tonumber(more_pixels))
  if math.floor(tonumber(at) / DAY_US) == today then
    add_to_days(tonumber(more_pixels))
  end
  save()
  return answer('', 0, 0)
end

return commands[ARGV[1]](unpack(ARGV, 8))
