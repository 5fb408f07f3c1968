-- Asks for the paths in a file, one after the other: `wrk ... -- FILE`.
local requests, number = {}, 0

init = function(arguments)
  for path in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
end

request = function()
  number = number + 1
  return requests[(number - 1) % #requests + 1]
end
