"""People at their browsers: what a journey does, it does by way of the pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, expect


class Walker:
    """One person at one browser, on a phone unless said otherwise, with or without JavaScript."""

    def __init__(
        self,
        browser: Browser,
        address: str,
        person: Any = None,
        *,
        width: int = 390,
        javascript: bool = True,
        language: str = "zh-CN",
    ) -> None:
        self.address = address.rstrip("/")
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": 844},
            locale=language,
            java_script_enabled=javascript,
        )
        self.errors: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on(
            "console",
            lambda message: self.errors.append(message.text) if message.type == "error" else None,
        )
        if person is not None:
            self._session(person)

    def _session(self, person: Any) -> None:
        """A session as signing in makes it; signing in itself has journeys of its own."""
        client = Client()
        client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
        value = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": value, "url": self.address}]
        )

    def close(self) -> None:
        """Shut the browser; nothing may have been reported by the page's own console."""
        faults = [text for text in self.errors if "422" not in text and "404" not in text]
        self.context.close()
        assert not faults, faults

    def go(self, path: str) -> Page:
        """Open a page of the site, which must answer."""
        response = self.page.goto(self.address + path)
        assert response is not None
        assert response.status < 400, f"{path}: {response.status}"
        return self.page

    def fill(self, data: dict[str, Any]) -> None:
        """Fill the form of the page: text, choices, boxes, dates, files."""
        form = self.page.locator("main form.form")
        for name, value in data.items():
            fields = form.locator(f'[name="{name}"]:not([type=hidden])')
            kind = fields.first.get_attribute("type") or ""
            tag = fields.first.evaluate("e => e.tagName") if self._scripts else ""
            if kind == "radio":
                form.locator(f'[name="{name}"][value="{value}"]').check()
            elif kind == "checkbox" and isinstance(value, list):
                for each in value:
                    form.locator(f'[name="{name}"][value="{each}"]').check()
            elif kind == "checkbox":
                fields.first.set_checked(bool(value))
            elif kind == "file":
                files = value if isinstance(value, list) else [value]
                fields.first.set_input_files(files)
            elif tag == "SELECT" or fields.first.locator("option").count():
                fields.first.select_option(value)
            else:
                fields.first.fill(str(value))

    @property
    def _scripts(self) -> bool:
        return True

    def act(self, path: str, data: dict[str, Any] | None = None) -> str:
        """Go to the page of an act, fill it in, send it, see that it was accepted; its receipt."""
        self.go(path)
        self.fill(data or {})
        self.page.locator("main form.form .actions button").first.click()
        self.page.wait_for_load_state()
        if "/done/" not in self.page.url:
            shown = self.page.locator("main").inner_text()
            raise AssertionError(f"{path} was not accepted:\n{shown[:3000]}")
        return self.page.locator(".receipt-code").first.inner_text().strip()

    def refused(self, path: str, data: dict[str, Any] | None = None) -> str:
        """The same for an act that must be refused: what the page says."""
        self.go(path)
        self.fill(data or {})
        self.page.locator("main form.form .actions button").first.click()
        self.page.wait_for_load_state()
        assert "/done/" not in self.page.url
        return self.page.locator("main").inner_text()

    def sees(self, *texts: str) -> None:
        """The page shows each text."""
        for text in texts:
            expect(self.page.locator("body")).to_contain_text(re.compile(re.escape(text)))

    def fits(self) -> None:
        """Nothing of the page scrolls sideways."""
        self.page.wait_for_load_state()  # a page that has only begun has no element yet
        wide = self.page.locator("html").evaluate("page => page.scrollWidth > page.clientWidth")
        assert not wide, f"{self.page.url} is wider than the screen"

    def picture(self, path: Path) -> None:
        """The whole page as a picture."""
        self.page.screenshot(path=str(path), full_page=True)
