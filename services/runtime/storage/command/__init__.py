"""The command `darkroom-store`: look after the store of bytes, while services run or without them.

Start reading at `cli.py`.
"""
