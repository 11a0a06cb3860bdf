"""What docs/deploy holds is sound, as far as can be told without installing it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "docs" / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.*"))


def known_settings() -> set[str]:
    """The variables of docs/settings.md."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE))


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_unit(unit, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine")
    for each in UNITS:
        # The folders and the user of a real site are not here; everything else is.
        text = each.read_text(encoding="utf-8").replace("/opt/sanwen", str(ROOT))
        (tmp_path / each.name).write_text(text.replace("sanwen\nGroup=sanwen", "root\nGroup=root"))
    name = unit.name.replace("@.", "@8000." if "server" in unit.name else "@clock.")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert unit.name.rpartition(".")[0].rstrip("@") not in done.stderr, done.stderr


@pytest.mark.parametrize("unit", [u for u in UNITS if u.suffix == ".service"], ids=lambda u: u.name)
def test_units_start_what_there_is(unit):
    command = re.search(r"^ExecStart=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE)
    assert command is not None
    words = command[1].split()
    assert (ROOT / words[0].removeprefix("/opt/sanwen/")).exists()
    if "celery" in words[0]:
        queues = {"clock", "news", "jobs", "long"}
        target = (DEPLOY / "systemd" / "sanwen.target").read_text(encoding="utf-8")
        assert set(re.findall(r"sanwen-worker@(\w+)\.service", target)) == queues


def test_the_compose_file_has_all_parts():
    whole = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    services = whole["services"]
    assert {"postgres", "redis", "migrate", "server0", "server1", "beat", "nginx"} <= set(services)
    queues = {
        service["command"][service["command"].index("--queues") + 1]
        for name, service in services.items()
        if name.startswith("worker-")
    }
    assert queues == {"clock", "news", "jobs", "long"}
    for name, service in services.items():
        assert {"image", "build"} & set(service), name
        for other, how in (service.get("depends_on") or {}).items():
            assert other in services, f"{name} waits for {other}"
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other], other
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source.startswith(("/", ".")) or source in whole["volumes"], volume
        used = {key for key in service.get("environment", {}) if key.startswith("SANWEN_")}
        assert used <= known_settings(), name
    context = (DEPLOY / services["server0"]["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / services["server0"]["build"]["dockerfile"]).exists()


def test_the_environment_file_names_settings_that_there_are():
    text = (DEPLOY / "sanwen.env").read_text(encoding="utf-8")
    named = set(re.findall(r"^(SANWEN_\w+)=", text, re.MULTILINE))
    assert named
    assert named <= known_settings()


def test_the_image_copies_what_there_is():
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for name in re.findall(r"^COPY (?!--)(\S+) ", text, re.MULTILINE):
        assert (ROOT / name).exists(), name
    prepare = (ROOT / "tools" / "prepare.py").read_text(encoding="utf-8")
    for package in re.findall(r'"(lib\w[\w.-]+-0|libharfbuzz-subset0)"', prepare):
        assert package in text or package == "libatomic1", package
    assert "USER sanwen" in text
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert {".git", "var", ".venv"} <= set(ignored)


def test_nginx_takes_the_configuration(tmp_path):
    sys.path.insert(0, str(ROOT))
    from tools import nginx

    program = nginx.program()
    if program is None:
        pytest.skip(nginx.MISSING)
    conf = nginx.render(tmp_path, 18080, [18000, 18001], tmp_path)
    done = subprocess.run(
        [program, "-t", "-e", "stderr", "-c", str(conf)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
