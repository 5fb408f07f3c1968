"""Take from a pool process what it does not need: files, network, signals, time, another user.

`enter.enter` does it all and returns the names of the protections that this system lacks. Plain
calls to the kernel by ctypes, on Linux; the modules import the settings of a pool process.
"""
