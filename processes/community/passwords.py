"""What is asked of passwords, in our own words."""

from __future__ import annotations

from django.contrib.auth.password_validation import MinimumLengthValidator
from django.utils.translation import gettext as _


class LongEnough(MinimumLengthValidator):
    """Django's, whose message has no Chinese of its own."""

    def get_error_message(self) -> str:
        """Of a password that is too short."""
        return _("密码太短，至少要有%(n)s个字符。") % {"n": self.min_length}

    def get_help_text(self) -> str:
        """What is asked."""
        return _("密码至少要有%(n)s个字符。") % {"n": self.min_length}
