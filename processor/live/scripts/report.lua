-- Takes what a process tells of itself. What grew since it was last told is added to the totals.
-- KEYS: process, processes, lags, then totals: events, errors, error rate, integrity violations, latency, queue depth,
--   timestamp.
-- ARGV: instance, run, now in ms, oldest time in ms at which a process heard of counts as there, time to live in
--   seconds, events, errors, integrity violations, latency in ms, lag; then fields and values of the process.
local before = {0, 0, 0}
if redis.call('HGET', KEYS[1], 'run') == ARGV[2] then
  local told = redis.call('HMGET', KEYS[1], 'events', 'dead_letters', 'integrity_violations')
  for i = 1, 3 do before[i] = tonumber(told[i] or 0) or 0 end
end
local totals = {KEYS[4], KEYS[5], KEYS[7]}
local sums = {}
for i = 1, 3 do sums[i] = redis.call('INCRBY', totals[i], tonumber(ARGV[5 + i]) - before[i]) end
local rate = 0
if sums[1] > 0 then rate = sums[2] / sums[1] end
redis.call('SET', KEYS[6], tostring(rate))
if ARGV[9] ~= '' then redis.call('SET', KEYS[8], ARGV[9]) end

redis.call('HSET', KEYS[1], unpack(ARGV, 11))
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[10])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[4])) do
  redis.call('HDEL', KEYS[3], gone)
  redis.call('ZREM', KEYS[2], gone)
end
local depth = 0
for _, lag in ipairs(redis.call('HVALS', KEYS[3])) do depth = depth + tonumber(lag) end
redis.call('SET', KEYS[9], string.format('%.0f', depth))
redis.call('SET', KEYS[10], ARGV[3])
for i = 1, #KEYS do redis.call('EXPIRE', KEYS[i], ARGV[5]) end
return 1
