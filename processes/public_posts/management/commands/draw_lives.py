"""``manage.py draw_lives``: the lives of applicants and holders as pictures in docs/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from ...drawing import life_svg
from ...models import Applicant, Holder


class Command(BaseCommand):
    """Draw the machines."""

    help = "Draws the lives of applicants and holders of public-welfare posts into docs/pictures."

    def handle(self, *args: Any, **options: Any) -> None:
        """A file for each."""
        for name, model in (("applicant", Applicant), ("holder", Holder)):
            path = Path(settings.BASE_DIR) / "docs" / "pictures" / f"posts-{name}.svg"
            path.write_text(life_svg(model), encoding="utf-8")
            self.stdout.write(str(path))
