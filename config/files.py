"""Where uploaded files, kept trails, results and the list of erasures lie: in a bucket."""

from __future__ import annotations

from typing import Any


def bucket(name: str, endpoint: str | None, style: str = "") -> dict[str, Any]:
    """A private bucket of any S3-compatible store, as Django's STORAGES want it.

    Files come out of it through our own pages alone, which ask who wants them; nobody is sent to
    the bucket. Keys are found the way the S3 client looks for them. `style` says how the bucket
    is named to the store: "path", or "virtual" for a host name of its own.
    """
    from botocore.config import Config  # half a second that a site without a bucket saves

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": name,
            "endpoint_url": endpoint,
            # Beyond this a file on its way to somebody lies on this machine's disk, not in memory.
            "max_memory_size": 8 * 2**20,
            "client_config": Config(
                signature_version="s3v4",
                # Stores of one's own seldom have a host name for each bucket, nor the checksums
                # that only Amazon's newest know.
                s3={"addressing_style": style or ("path" if endpoint else "auto")},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                # A store that does not answer must not hold the lock of a case for long.
                connect_timeout=3,
                read_timeout=20,
                retries={"mode": "standard", "total_max_attempts": 2},
            ),
        },
    }
