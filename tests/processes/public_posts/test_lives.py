"""The pictures in docs/ are those of the machines."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings

from processes.public_posts.drawing import life_svg
from processes.public_posts.models import Applicant, Holder


@pytest.mark.parametrize(("name", "model"), [("applicant", Applicant), ("holder", Holder)])
def test_drawn_anew_they_are_the_same(name, model):
    path = Path(settings.BASE_DIR) / "docs" / "pictures" / f"posts-{name}.svg"
    assert path.read_text(encoding="utf-8") == life_svg(model)


@pytest.mark.parametrize("model", [Applicant, Holder])
def test_every_state_has_words_and_is_reached(model):
    found = list(model._meta.get_field("life").get_all_transitions(model))
    start = model._meta.get_field("life").default
    assert {t.target for t in found} | {start} == set(model.STATES)
    assert {t.source for t in found} <= set(model.STATES)
