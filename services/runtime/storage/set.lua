-- Set fields of a record that is there. Returns 0 where there is none: it has expired.
--
-- KEYS: the record. ARGV: names and values in turn.
if redis.call('HEXISTS', KEYS[1], 'bytes') == 0 then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
