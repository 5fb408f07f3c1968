-- The request of each user: the article's item, with 100 bytes of text.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"text": "' .. string.rep("0123456789", 10) .. '"}'
