"""Files as answers that never stand in memory as a whole, whichever server asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import IO, Any, cast

from asgiref.sync import sync_to_async
from django.http import FileResponse


class Download(FileResponse):
    """An open file as a download under a plain name; closed when it is sent.

    Django's own class reads a whole file into memory before an ASGI server gets its first byte.
    """

    def __init__(self, file: IO[bytes], name: str, media_type: str, **more: Any) -> None:
        super().__init__(file, content_type=media_type, **more)
        self["Content-Disposition"] = f'attachment; filename="{name}"'
        self["X-Content-Type-Options"] = "nosniff"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Part by part, read on a thread."""
        parts = iter(cast("Iterator[bytes]", self.streaming_content))
        read = sync_to_async(lambda: next(parts, None), thread_sensitive=False)
        while (part := await read()) is not None:
            yield part
