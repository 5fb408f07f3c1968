-- Gives each request a field of its own, so that no two heads are equal.
local number = 0

request = function()
  number = number + 1
  wrk.headers["X-Number"] = number
  return wrk.format()
end
