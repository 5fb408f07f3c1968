"""The gateway's side of uvicorn: bounds on connections and headers, and refusals before the app.

The only package of the gateway that imports uvicorn. `binding` puts `protocol` in force at start,
`connections` counts and times connections, `guard` refuses requests that came without the bounds.
May import `http`, `middleware` and `settings`.
"""
