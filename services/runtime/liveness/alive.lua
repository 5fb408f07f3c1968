-- KEYS: the responders of an address. Returns the names of those alive.
return alive(KEYS[1])
