"""HTTP requests to URLs that clients name, to public addresses only.

`make_client` gives the HTTPX client; `refuse_unsafe_url` refuses bad URLs before anything is sent.
Imports httpx, httpcore and the contracts; nothing of the gateway outside this package. Start with
`client.py`; `network.py` is the security check.
"""
