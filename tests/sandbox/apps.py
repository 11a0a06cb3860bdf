"""An app that holds the tests' own procedures."""

from django.apps import AppConfig


class SandboxConfig(AppConfig):
    """Procedures that only tests know."""

    name = "tests.sandbox"
    label = "sandbox"
