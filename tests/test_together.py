"""Who asks at the same moment for the same public page has it made once; nobody gets another's."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from config.together import Together
from tests.factories import make_person

SHARED = [(b"x-accel-expires", b"@1"), (b"content-type", b"text/html")]


class Site:
    """Answers with what it was asked, after all have asked; counts how often it had to."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.headers, self.made, self.go = headers, 0, asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.made += 1
        await self.go.wait()
        if scope["path"] == "/broken/":
            raise ValueError("broken")
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": scope["path"].encode()})


def ask(asked: list[tuple[str, dict[str, str]]], headers: Any = SHARED) -> tuple[int, list[Any]]:
    """How often the site made a page, and what each got, when all ask at once."""

    async def whole() -> tuple[int, list[Any]]:
        site = Site(headers)
        layer = Together(site)

        async def one(path: str, said: dict[str, str]) -> bytes | str:
            got: list[bytes] = []

            async def send(message: Any) -> None:
                got.append(message.get("body", b""))

            scope = {
                "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
                "query_string": b"",
                "headers": [(k.encode(), v.encode()) for k, v in said.items()],
            }  # fmt: skip
            try:
                await layer(scope, None, send)
            except ValueError as error:
                return str(error)
            return b"".join(got)

        waiting = [asyncio.ensure_future(one(*each)) for each in asked]
        await asyncio.sleep(0.05)
        site.go.set()
        answers = await asyncio.gather(*waiting)
        assert layer.made == {}
        return site.made, answers

    with ThreadPoolExecutor(1) as apart:  # a browser test may have left a loop in this thread
        return apart.submit(lambda: asyncio.run(whole())).result(30)


def test_one_makes_it_and_all_get_it():
    assert ask([("/cases/", {})] * 50) == (1, [b"a/cases/"] * 50)


def test_a_token_makes_no_difference_and_another_name_does():
    pages = [("/", {"cookie": f"csrftoken={n}", "x-request-id": str(n)}) for n in range(5)]
    assert ask([*pages, ("/other/", {})])[0] == 2


@pytest.mark.parametrize(
    "said",
    [
        {"cookie": "sessionid=a"},
        {"cookie": "text_size=large; sessionid=a"},
        {"cookie": "messages=a"},
        {"authorization": "Bearer a"},
        {"range": "bytes=0-1"},
    ],
)
def test_what_is_somebodys_own_is_made_for_each(said):
    assert ask([("/", said)] * 4)[0] == 4


@pytest.mark.parametrize("name", ["accept-language", "host", "accept-encoding", "hx-request"])
def test_what_a_page_depends_on_keeps_pages_apart(name):
    assert ask([("/", {name: "a"}), ("/", {name: "b"}), ("/", {})])[0] == 3


def test_languages_and_large_text_are_kept_apart():
    cookies = ["django_language=en", "django_language=zh-hans", "text_size=large"]
    assert ask([("/", {"cookie": cookie}) for cookie in cookies])[0] == 3


def test_what_the_site_does_not_give_to_all_is_made_for_each():
    made, answers = ask([("/", {})] * 4, headers=[(b"content-type", b"text/html")])
    assert made == 4
    assert answers == [b"a/"] * 4


def test_a_page_that_fails_fails_for_who_asked_and_the_others_try_themselves():
    assert ask([("/broken/", {})] * 3) == (3, ["broken"] * 3)


def test_only_pages_for_everybody_are_marked_and_only_behind_a_proxy(site, client, settings):
    settings.SANWEN_BEHIND_PROXY = True
    assert client.get("/cases/")["X-Accel-Expires"].startswith("@")
    for path in ("/healthz", "/accounts/login/", "/r/", "/log/keys", "/nowhere/", "/metrics"):
        assert not client.get(path).has_header("X-Accel-Expires"), path
    assert not client.get("/cases/", headers={"Authorization": "x"}).has_header("X-Accel-Expires")
    client.force_login(make_person("somebody"))
    assert not client.get("/cases/").has_header("X-Accel-Expires")
    client.logout()
    settings.SANWEN_BEHIND_PROXY = False
    assert not client.get("/cases/").has_header("X-Accel-Expires")
