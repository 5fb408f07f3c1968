-- Run the command that the arguments name.
return commands[ARGV[1]](unpack(ARGV, 2))
