"""The object store: any S3.

Here: the client, listings, single objects. Not here: what the files mean (`pipeline/`).
"""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from rainbow_assets.errors import SettingsError
from rainbow_assets.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def client(settings: Settings) -> "S3Client":
    """A boto3 client: path style, checksums only where the server asks for them, three tries."""
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        aws_access_key_id=settings.secret("s3_access_key"),
        aws_secret_access_key=settings.secret("s3_secret_key"),
        region_name=settings.s3_region,
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"max_attempts": 3, "mode": "standard"},
            connect_timeout=5,
        ),
    )


def duckdb_endpoint(endpoint: str | None) -> tuple[str | None, bool]:
    """`http(s)://host:port` as DuckDB wants it: (host:port, whether TLS); (None, True) for Amazon S3.

    Raises:
        SettingsError: it is no http(s) URL.
    """
    if endpoint is None:
        return None, True
    url = urlsplit(endpoint)
    if url.scheme not in {"http", "https"} or not url.netloc:
        raise SettingsError(f"RAINBOW_S3_ENDPOINT {endpoint!r} is no URL.", "Write http://host:port or https://host.")
    return url.netloc, url.scheme == "https"
