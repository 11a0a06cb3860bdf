"""``manage.py demo_accounts``: who one can sign in as."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from processes.community import demo


class Command(BaseCommand):
    """Print the demo accounts."""

    help = "Prints the demo accounts and their password."

    def handle(self, *args: Any, **options: Any) -> None:
        """One account a line."""
        staff, residents = demo.accounts()
        self.stdout.write(f"password for all: {demo.PASSWORD}")
        homes = demo.homes(residents)
        for username in residents:
            lives = "; ".join(homes.get(username, ())) or "nowhere in particular"
            self.stdout.write(f"  {username:10} lives: {lives}")
        for username, (role, _seat, organisation) in staff.items():
            self.stdout.write(f"  {username:10} {role} ({organisation})")
