"""nginx with the configuration that is shipped, on a port of loopback, as anybody.

Only what every operator changes is changed: names, folders, servers, and HTTPS for HTTP.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "docs" / "deploy" / "nginx.conf"
MISSING = (
    "nginx is missing. Debian: sudo apt-get install -y nginx-light (or run `python3 "
    "tools/prepare.py dev`)"
)


def program() -> str | None:
    """The nginx of this machine, or None."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def render(folder: Path, port: int, servers: Sequence[int], static: Path) -> Path:
    """Write a whole configuration into a folder; returns its file. nginx is started with
    ``nginx -e stderr -c FILE``; it stays in the foreground."""
    site = SHIPPED.read_text(encoding="utf-8")
    upstream = "".join(f"    server 127.0.0.1:{each};\n" for each in servers)
    site = re.sub(r"(    server 127\.0\.0\.1:\d+;\n)+", upstream, site, count=1)
    site = re.sub(r"    listen \[::\]:443 ssl http2;\n", "", site)
    site = re.sub(r"    ssl_\w+ .*\n", "", site)
    changed = {
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port};",
        "server_name sanwen.example.org;": "server_name 127.0.0.1 localhost;",
        "/var/cache/nginx/sanwen": str(folder / "cache"),
        "/var/log/nginx/sanwen.log": str(folder / "error.log"),
        "/opt/sanwen/staticfiles": str(static),
    }
    for old, new in changed.items():
        assert old in site, f"{SHIPPED} has no {old}"
        site = site.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.conf").write_text(site, encoding="utf-8")
    temporary = "".join(
        f"    {kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = folder / "nginx.conf"
    # Started by root for a look around, it goes on as root, whose folders others may not read.
    user = "user root;\n" if os.geteuid() == 0 else ""
    whole.write_text(
        f"{user}daemon off;\nmaster_process on;\nworker_processes 2;\n"
        f"pid {folder / 'nginx.pid'};\nerror_log stderr crit;\n"
        "events { worker_connections 1024; }\n"
        "http {\n    default_type application/octet-stream;\n"
        f"    types {{ {TYPES} }}\n    sendfile on;\n{temporary}"
        f"    include {folder / 'site.conf'};\n}}\n",
        encoding="utf-8",
    )
    return whole


TYPES = (
    "text/css css; text/javascript js mjs; image/svg+xml svg; image/png png; image/webp webp; "
    "font/woff2 woff2; text/html html; application/json json webmanifest map; text/plain txt;"
)
