"""nginx with a configuration of deploy, with other ports and folders, and a client of it."""

import getpass
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import trustme

from tests.processes import ROOT, free_port, wait_until

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
SITE = (ROOT / "deploy/nginx.conf").read_text()
WEBSITE = (ROOT / "deploy/website.conf").read_text()
LOGIN = ("team", "secret")
MIN_CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr warn;
user {user};
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/darkroom.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A running nginx: its port, a client that trusts its certificate, and its configuration."""

    port: int
    trust: ssl.SSLContext
    http: httpx.Client
    configuration: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"


@contextmanager
def nginx(gateway: str, folder: Path, *, prefix: str = "") -> Iterator[Proxy]:
    """Run nginx with deploy/nginx.conf in front of the gateway with this URL.

    With a prefix, the lines with a path are changed as docs/guides/proxy.md says.
    """
    (folder / "htpasswd").write_text(":{PLAIN}".join(LOGIN))
    changes = {
        "server 127.0.0.1:8000;": f"server {gateway.removeprefix('http://')};",
        "/etc/nginx/darkroom.htpasswd": f"{folder}/htpasswd",
        "location / {": f"location {prefix}/ {{",
        "location = /health/ready {": f"location = {prefix}/health/ready {{",
        "location ~ ^/v1/": f"location ~ ^{prefix}/v1/",
    }
    with serve(SITE, "images.example.com", changes, folder, login=LOGIN) as proxy:
        yield proxy


@contextmanager
def serve(
    site: str,
    host: str,
    changes: Mapping[str, str],
    folder: Path,
    *,
    login: tuple[str, str] | None = None,
) -> Iterator[Proxy]:
    """Run nginx with the configuration of a site for `host`, and other ports and folders in it.

    `changes` are further texts of the configuration, each of which it has once, and what replaces
    them. Clients of the proxy send `login`.
    """
    assert NGINX is not None
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    certificate.private_key_pem.write_to_path(folder / "certificate.key")
    plain, port = free_port(), free_port()
    for text, replacement in {
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        f"/etc/nginx/tls/{host}.pem": f"{folder}/certificate.pem",
        f"/etc/nginx/tls/{host}.key": f"{folder}/certificate.key",
        "/var/cache/darkroom": f"{folder}/cache",
        **changes,
    }.items():
        assert site.count(text) == 1, text
        site = site.replace(text, replacement)
    (folder / "darkroom.conf").write_text(site)
    configuration = folder / "nginx.conf"
    configuration.write_text(MIN_CONFIGURATION.format(folder=folder, user=getpass.getuser()))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    process = subprocess.Popen([NGINX, "-c", str(configuration)], start_new_session=True)
    try:
        wait_until(lambda: process.poll() is not None or listens(port))
        url = f"https://127.0.0.1:{port}"
        with httpx.Client(
            verify=trust, auth=login, base_url=url, timeout=20, trust_env=False
        ) as http:
            yield Proxy(port, trust, http, configuration)
    finally:
        process.terminate()
        process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
