"""What somebody was writing when their session had ended is theirs again once they sign in."""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from django.test import Client

from tests import factories
from workflows.models import Opinion
from workflows.portal import kept

from .test_desk import page

BACKEND = "django.contrib.auth.backends.ModelBackend"
WORDS = "老人上下楼不便，希望加装电梯。"
SAID = {"item": "lifts", "stance": "want", "text": WORDS}


@pytest.fixture
def writing(place, told):
    """A neighbour at the form of an opinion; the address, and what the form sends along."""
    story = told("ask_needs")
    home, other = factories.units_of(place.estate)[:2]
    neighbour, stranger = factories.make_member(home).person, factories.make_member(other).person
    client = Client()
    client.force_login(neighbour, backend=BACKEND)
    path = f"/cases/{story.case.number}/do/ask_needs/opinion.submitted/"
    [writer] = re.findall(r'name="writer" value="([^"]+)"', page(client, path))
    return client, path, writer, neighbour, stranger


def test_words_sent_after_the_session_are_filled_in_after_signing_in_once(writing):
    client, path, writer, neighbour, _stranger = writing
    client.logout()
    sent = client.post(path, {**SAID, "writer": writer, "idempotency_key": "k1"})
    assert sent.status_code == 302
    assert sent["Location"].startswith("/accounts/login/")
    assert "已经保留" in client.get(sent["Location"]).content.decode()
    assert not Opinion.objects.exists()  # nothing was done in the meantime
    client.force_login(neighbour, backend=BACKEND)
    shown = page(client, path)
    assert f">\n{WORDS}</textarea>" in shown
    assert '<option value="lifts" selected' in shown
    assert re.search(r'value="want"[^>]*checked', shown)
    assert "请核对后提交" in shown
    assert client.post(path, {**SAID, "idempotency_key": "k2"}).status_code == 302
    assert Opinion.objects.get().text == WORDS
    assert WORDS not in page(client, path)  # once


def test_nobody_else_at_the_same_machine_sees_them_nor_whoever_reads_the_cache(
    writing, monkeypatch
):
    client, path, writer, _neighbour, stranger = writing
    client.logout()
    put = []
    real = cache.add
    monkeypatch.setattr(
        kept.cache,
        "add",
        lambda key, value, *more: put.append((key, value)) or real(key, value, *more),
    )
    cookie = client.post(path, {**SAID, "writer": writer}).cookies[kept.COOKIE]
    [(key, value)] = put
    assert cookie.value not in key
    assert "电梯" not in value.decode()
    assert "lifts" not in value.decode()
    assert (cookie["httponly"], cookie["path"], cookie["max-age"]) == (True, path, kept.SECONDS)
    client.force_login(stranger, backend=BACKEND)
    assert WORDS not in page(client, path)


@pytest.mark.parametrize("wrong", ["", "1:x:y", "{other}"])
def test_without_a_form_of_ones_own_nothing_is_kept(writing, wrong, monkeypatch):
    client, path, writer, _neighbour, _stranger = writing
    client.logout()
    other = writer.replace(writer.split(":")[0], "999", 1)
    sent = client.post(path, {**SAID, "writer": wrong.format(other=other)})
    assert (sent.status_code, kept.COOKIE in sent.cookies) == (302, False)
    large = client.post(path, {"text": "长" * kept.LARGEST, "writer": writer})
    assert kept.COOKIE not in large.cookies
    monkeypatch.setattr(kept.cache, "add", lambda *_words: None)  # Redis is away
    away = client.post(path, {**SAID, "writer": writer})
    assert (away.status_code, kept.COOKIE in away.cookies) == (302, False)
    assert "已经保留" not in client.get(away["Location"]).content.decode()


def test_an_address_that_sends_ever_more_keeps_no_more(writing, settings):
    client, path, writer, _neighbour, _stranger = writing
    client.logout()
    settings.RATELIMIT_ENABLE = True
    answers = [client.post(path, {**SAID, "writer": writer}) for _ in range(22)]
    assert kept.COOKIE in answers[0].cookies
    assert {answer.status_code for answer in answers} == {302}
    assert kept.COOKIE not in answers[-1].cookies


def test_a_case_that_was_being_opened_is_kept_as_well(place):
    officer = place.client("residents_committee")
    path = "/procedures/open_day/open/"
    [writer] = re.findall(r'name="writer" value="([^"]+)"', page(officer, path))
    officer.logout()
    assert officer.post(path, {"title": "示范开放日", "writer": writer}).status_code == 302
    officer.force_login(place.people["residents_committee"], backend=BACKEND)
    assert 'value="示范开放日"' in page(officer, path)
