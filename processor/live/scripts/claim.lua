-- Gives the position of each partition. One that has none, or one that is not in the log, gets one.
-- KEYS: positions.
-- ARGV: time to live in seconds; then for each partition: partition, first offset, end of the log, where to begin.
local out = {}
for i = 2, #ARGV, 4 do
  local at = redis.call('HGET', KEYS[1], ARGV[i])
  local n = at and tonumber(at)
  if not n or n < tonumber(ARGV[i + 1]) or n > tonumber(ARGV[i + 2]) then
    at = ARGV[i + 3]
    redis.call('HSET', KEYS[1], ARGV[i], at)
  end
  out[#out + 1] = at
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return out
