
-- Prints the figures on one line that is easy to parse: requests, microseconds, p50, p99, failures.
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "\nRESULT %d %d %d %d %d\n",
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
