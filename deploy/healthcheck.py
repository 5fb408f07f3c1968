"""Health check of a container: exits with 0 if the service on port 8000 is ready, and else with 1.

The reason goes to standard error, which `docker inspect` shows. An argument names another port.
"""

import http.client
import sys

port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
connection.request("GET", "/health/ready")
response = connection.getresponse()
sys.exit(None if response.status == 200 else response.read().decode())
