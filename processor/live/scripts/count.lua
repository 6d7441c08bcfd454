-- Counts alerts of one partition and moves its position, which must be where the caller expects it.
-- KEYS: positions, seen, total of alerts, total of patterns, then buckets.
-- ARGV: partition, expected, next, time to live of positions and totals in seconds, oldest time of seen in ms,
--   most of seen, most fields of a bucket, number of buckets, the time in Unix seconds at which each bucket ends;
--   then for each alert: id, ms, pattern (1 or 0), field, field when the bucket is full, its two buckets (places).
-- Returns {counted, seen before}, or {-1, position} when that is elsewhere (-1: there is none).
local at = redis.call('HGET', KEYS[1], ARGV[1])
if at ~= ARGV[2] then return {-1, tonumber(at or -1)} end
local buckets = tonumber(ARGV[8])
local most = tonumber(ARGV[7])
local counted, before, patterns = 0, 0, 0
for i = 9 + buckets, #ARGV, 7 do
  if redis.call('ZADD', KEYS[2], 'NX', ARGV[i + 1], ARGV[i]) == 1 then
    counted = counted + 1
    patterns = patterns + tonumber(ARGV[i + 2])
    for j = 5, 6 do
      local key = KEYS[4 + tonumber(ARGV[i + j])]
      local field = ARGV[i + 3]
      if redis.call('HLEN', key) >= most and redis.call('HEXISTS', key, field) == 0 then field = ARGV[i + 4] end
      redis.call('HINCRBY', key, field, 1)
    end
  else
    before = before + 1
  end
end
for i = 1, buckets do redis.call('EXPIREAT', KEYS[4 + i], ARGV[8 + i]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[5])
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -1 - tonumber(ARGV[6]))
redis.call('EXPIRE', KEYS[2], ARGV[4])
if counted > 0 then
  redis.call('INCRBY', KEYS[3], counted)
  redis.call('INCRBY', KEYS[4], patterns)
end
redis.call('EXPIRE', KEYS[3], ARGV[4])
redis.call('EXPIRE', KEYS[4], ARGV[4])
return {counted, before}
