-- Drop images without a record from a list: they have expired.
--
-- KEYS: the list, and the record of each image. ARGV: the digest of each.
for number, digest in ipairs(ARGV) do
  if redis.call('HEXISTS', KEYS[number + 1], 'bytes') == 0 then
    redis.call('ZREM', KEYS[1], digest)
  end
end
