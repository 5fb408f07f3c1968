-- Lease the deliveries that are due, the longest overdue first, as many as each host may get.
--
-- The deliveries to a host that may get none now are due again later, but for a few, so that they
-- are not in the way of others. That is no attempt.
--
-- KEYS: due deliveries, attempts. ARGV: how many at most; lease in ms; how many of one host, and of
-- all hosts that have not answered yet; then for each host that differs: its name, how many it may
-- get, the ms until it may get more, and 1 if it has answered.
-- Returns for each: the job, its host, which attempt it is, the moment (ms) at which the lease ends.
local SCANNED, LEFT_DUE, LATER = 1000, 64, 1000
local most, lease, of_host, unanswered = unpack(ARGV, 1, 4)
most, of_host, unanswered = tonumber(most), tonumber(of_host), tonumber(unanswered)

local hosts = {}
for i = 5, #ARGV, 4 do
  hosts[ARGV[i]] = {
    free = tonumber(ARGV[i + 1]), wait = tonumber(ARGV[i + 2]), answers = ARGV[i + 3] == '1'
  }
end

-- The host of a job's webhook, without a port; '' if the job has expired or cannot be read.
local function host_of(job)
  local read = redis.pcall('HGET', RECORD .. job, 'webhook')
  local known, webhook = pcall(cjson.decode, type(read) == 'string' and read or '')
  local url = known and type(webhook) == 'table' and webhook.url
  local host = type(url) == 'string' and string.match(url, '^%a+://([^/?#\\]*)') or ''
  return (string.gsub(string.lower(string.gsub(host, '^.*@', '')), ':%d*$', ''))
end

local now = now_ms()
local leased_until = now + lease
local taken = {}
for _, job in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, SCANNED)) do
  if #taken >= most then
    break
  end
  local name = host_of(job)
  local host = hosts[name] or {free = of_host, wait = 0, answers = false}
  hosts[name] = host
  if host.free < 1 or not host.answers and unanswered < 1 then
    host.left = (host.left or 0) + 1
    if host.wait > 0 or host.left > LEFT_DUE then
      redis.call('ZADD', KEYS[1], now + math.max(host.wait, LATER), job)
    end
  else
    host.free = host.free - 1
    unanswered = unanswered - (host.answers and 0 or 1)
    redis.call('ZADD', KEYS[1], leased_until, job)
    local attempt = redis.call('HINCRBY', KEYS[2], job, 1)
    taken[#taken + 1] = {job, name, attempt, leased_until}
  end
end
return taken
