"""E-mail by Django's mail backend, with one-click leave (RFC 8058, RFC 2369)."""

from __future__ import annotations

import smtplib
from email.utils import parseaddr

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from ..digest import Message
from ..models import Channel
from . import TIMEOUT, Down, Gone, Refused


def send(channel: Channel, message: Message, batch: str) -> None:
    """One message, in text and HTML; sent again after a kill it has the same Message-ID."""
    host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].partition("@")[2] or "localhost"
    mail = EmailMultiAlternatives(
        subject=message.subject,
        body=message.text,
        to=[channel.address],
        headers={
            "Message-ID": f"<{batch}@{host}>",
            "List-Unsubscribe": f"<{message.leave}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "Auto-Submitted": "auto-generated",
            "Precedence": "bulk",
        },
    )
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    deliver(mail)


def deliver(mail: EmailMultiAlternatives) -> None:
    """Hand a message over, or raise a `Fault`. Those of smtplib hold addresses: none leaves."""
    try:
        mail.connection = get_connection(timeout=TIMEOUT)
        mail.send()
        return
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        gone = code in (550, 551, 553)
    except smtplib.SMTPResponseException as error:  # also of authentication, sender, data
        code, gone = error.smtp_code, False
        if code == 421 or isinstance(error, smtplib.SMTPAuthenticationError):
            raise Down(f"smtp_{code}") from None
    except (OSError, smtplib.SMTPException) as error:
        raise Down(type(error).__name__) from None
    if gone:
        raise Gone(f"smtp_{code}") from None
    raise Refused(f"smtp_{code}") from None
