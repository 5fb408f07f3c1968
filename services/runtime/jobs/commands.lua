-- Run the commands that the arguments name: of each, the number of its arguments and its name among
-- them, then both. Returns a reply for each; an error is the reply of its command alone, as the others
-- concern other jobs. Moving jobs to the stream waits for the last command: one look is enough.

local replies, at = {}, 1
while ARGV[at] do
  local last = at + ARGV[at]
  local done, reply = pcall(commands[ARGV[at + 1]], unpack(ARGV, at + 2, last))
  if not done and type(reply) ~= 'table' then
    reply = {err = 'ERR ' .. tostring(reply)}
  end
  replies[#replies + 1] = reply or false
  at = last + 1
end
-- A job that starts makes no room in the stream.
if makes_room or (starts and not is_next_ready()) then
  feed()
end
return replies
