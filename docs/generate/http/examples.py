"""An example of each route, as a command of the reference of HTTP."""

_NEW_JOB = (
    '{\\"source\\": {\\"image\\": \\"${IMAGE##*/}\\"}, '
    '\\"variants\\": [{\\"operations\\": [{\\"op\\": \\"grayscale\\"}]}, '
    '{\\"output\\": {\\"format\\": \\"webp\\"}}]}'
)

EXAMPLES = {
    ("POST", "/v1/render"): "curl -sS -o /tmp/gray.jpg --data-binary @/tmp/house.jpg "
    "'http://127.0.0.1:8000/v1/render?op=resize:width=720&op=grayscale'",
    ("POST", "/v1/images"): "curl -sS --data-binary @/tmp/house.jpg "
    "http://127.0.0.1:8000/v1/images",
    ("GET", "/v1/presets"): "curl -sS http://127.0.0.1:8000/v1/presets",
    ("GET", "/v1/images"): "curl -sS 'http://127.0.0.1:8000/v1/images?limit=10'",
    ("PUT", "/v1/images/{image_id}"): 'curl -sS -X PUT "http://127.0.0.1:8000$IMAGE" '
    '-H \'Content-Type: application/json\' -d \'{"label": "house.jpg", "ttl": null}\'',
    ("GET", "/v1/images/{image_id}"): 'curl -sS -o /tmp/same.jpg "http://127.0.0.1:8000$IMAGE"',
    ("GET", "/v1/images/{image_id}/info"): 'curl -sS "http://127.0.0.1:8000$IMAGE/info?gps=true"',
    ("GET", "/v1/images/{image_id}/render"): "curl -sS -o /tmp/small.webp "
    '"http://127.0.0.1:8000$IMAGE/render?op=resize:width=320&format=webp"',
    ("DELETE", "/v1/images/{image_id}/renditions"): "curl -sS -X DELETE "
    '"http://127.0.0.1:8000$IMAGE/renditions"',
    ("DELETE", "/v1/images/{image_id}"): 'OTHER=$(curl -sS "http://127.0.0.1:8000$IMAGE/render'
    "?op=sepia\" | curl -sS -o /dev/null -w '%header{location}' --data-binary @- "
    "http://127.0.0.1:8000/v1/images)\n"
    'curl -sS -X DELETE "http://127.0.0.1:8000$OTHER"',
    ("POST", "/v1/jobs"): "IMAGE=$(curl -sS -o /dev/null -w '%header{location}' --data-binary "
    "@/tmp/house.jpg http://127.0.0.1:8000/v1/images)\n"
    "curl -sS -H 'Content-Type: application/json' http://127.0.0.1:8000/v1/jobs "
    f'-d "{_NEW_JOB}"',
    ("GET", "/v1/jobs"): "curl -sS 'http://127.0.0.1:8000/v1/jobs?limit=10'",
    ("GET", "/v1/jobs/{job_id}"): 'curl -sS "http://127.0.0.1:8000$JOB"',
    ("DELETE", "/v1/jobs/{job_id}"): "SLOW=$(curl -sS -o /dev/null -w '%header{location}' "
    "--data-binary @/tmp/house.jpg 'http://127.0.0.1:8000/v1/jobs?"
    + "&".join(["op=resize:width=4000", *["op=blur:100"] * 8])
    + "&format=avif')\n"
    'curl -sS -X DELETE "http://127.0.0.1:8000$SLOW"',
    ("GET", "/v1/jobs/{job_id}/results"): 'curl -sS "http://127.0.0.1:8000$JOB/results"',
    ("GET", "/v1/jobs/{job_id}/results/{index}"): "curl -sS -o /tmp/gray.jpg "
    '"http://127.0.0.1:8000$JOB/results/0"',
    ("GET", "/v1/dead-letters"): "curl -sS http://127.0.0.1:8000/v1/dead-letters",
    ("GET", "/v1/jobs/{job_id}/events"): 'curl -sSN "http://127.0.0.1:8000$JOB/events"',
    ("GET", "/v1/system"): "curl -sS http://127.0.0.1:8000/v1/system",
}
"""Commands by method and path."""
