"""A program that acts by the API."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from tests.processes.community.erasure_cases import Place
from tests.sandbox.opinion_procedures import Needs
from workflows import acts
from workflows.models import Case
from workflows.portal.api import tokens


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


class Program:
    """A program with a token, and nothing else."""

    def __init__(self, person: Any, *scopes: str, days: int = 30, confirmed: bool = True) -> None:
        self.person = person
        self.token = tokens.give(person, "测试", scopes, days, confirmed=confirmed)
        self.client = Client(enforce_csrf_checks=True, raise_request_exception=True)

    def headers(self, **more: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", **more}

    def get(self, address: str, status: int = 200, **more: str) -> Any:
        answer = self.client.get(f"/api/v1{address}", headers=self.headers(**more))
        assert answer.status_code == status, answer.content.decode()
        return answer.json()

    def send(self, address: str, body: Any, key: str = "", **more: Any) -> Any:
        headers = self.headers(**{"Idempotency-Key": key or str(uuid.uuid4())})
        files = more.pop("files", None)
        headers |= more
        if files is not None:
            parts = {"act": json.dumps(body), **files}
            return self.client.post(f"/api/v1{address}", parts, headers=headers)
        return self.client.post(
            f"/api/v1{address}", json.dumps(body), content_type="application/json", headers=headers
        )

    def act(self, case: Case, step: str, act: str, status: int = 201, **more: Any) -> Any:
        form = more.pop("form", {})
        passed = {name: more.pop(name) for name in ("key", "files") if name in more}
        body = {"step": step, "act": act, "form": form, **more}
        answer = self.send(f"/cases/{case.number}/acts", body, **passed)
        assert answer.status_code == status, answer.content.decode()
        return answer.json()


def consultation(place: Place) -> Case:
    return acts.open_case(Needs, place.community, place.staff("office"), title="问需")


RESIDENT = (tokens.READ, tokens.ACT)
STAFF = (tokens.READ_STAFF, tokens.ACT_STAFF)
SAID = {"text": "楼道的灯不亮"}


def said(place: Place, program: Program, case: Case, **more: Any) -> Any:
    return program.act(case, "ask", "opinion.submitted", **{"form": SAID, **more})
