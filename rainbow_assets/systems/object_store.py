"""The object store: any S3.

Here: the client, listings, single objects. Not here: what the files mean (`landing/`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from rainbow_assets import environment
from rainbow_assets.errors import RainbowError, TransientError
from rainbow_assets.settings import Settings

if TYPE_CHECKING:
    import boto3
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef, ObjectTypeDef

DELETE_BATCH = 1000  # S3's own limit


def client(settings: Settings) -> "S3Client":
    """A boto3 client by the settings."""
    keys = settings.secret("s3_access_key"), settings.secret("s3_secret_key")
    return open_client(settings.s3_endpoint, *keys, settings.s3_region)


def open_client(endpoint: str | None, access_key: str, secret_key: str, region: str) -> "S3Client":
    """A boto3 client: path style, checksums only where the server asks for them, three tries."""
    from botocore.config import Config  # half a second, which who only asks the lake does not wait for

    return _session().client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        verify=environment.certificates() or True,
        config=Config(  # type: ignore[call-arg]  # the stubs lack the first
            ignore_configured_endpoint_urls=True,
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"max_attempts": 3, "mode": "standard"},
            connect_timeout=5,
        ),
    )


@cache
def _session() -> "boto3.Session":
    """boto3 with every setting as botocore has it: no AWS_* variable and no file below ~/.aws counts."""
    import boto3
    from botocore import configprovider, session

    defaults = {
        name: configprovider.ConstantProvider(default)
        for name, (_field, _variable, default, _cast) in configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    }
    files = dict.fromkeys(("config_file", "credentials_file"), configprovider.ConstantProvider(None))
    core = session.Session()
    core.register_component("config_store", configprovider.ConfigValueStore(defaults | files))
    return boto3.Session(botocore_session=core)


def duckdb_endpoint(endpoint: str | None) -> tuple[str | None, bool]:
    """`http(s)://host:port` as DuckDB wants it: (host:port, whether TLS); (None, True) for Amazon S3."""
    if endpoint is None:
        return None, True
    url = urlsplit(endpoint)
    return url.netloc, url.scheme == "https"


def objects(client: "S3Client", bucket: str, prefix: str, start: str = "") -> Iterator["ObjectTypeDef"]:
    """The objects below `prefix` by name, in byte order, from `start` on; pages are fetched as they are needed.

    Raises:
        TransientError: the store does not answer.
        RainbowError: the bucket is missing or the credentials are wrong.
    """
    with s3_errors(bucket):
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=start)
        for page in pages:
            yield from page.get("Contents", [])


def keys(client: "S3Client", bucket: str, prefix: str, start: str = "") -> Iterator[str]:
    """Their names alone. Raises as `objects`."""
    return (entry["Key"] for entry in objects(client, bucket, prefix, start))


def remove(client: "S3Client", bucket: str, names: Sequence[str]) -> None:
    """Delete objects by name; one that is not there is fine. Raises as `objects`."""
    with s3_errors(bucket):
        for start in range(0, len(names), DELETE_BATCH):
            batch: list[ObjectIdentifierTypeDef] = [{"Key": name} for name in names[start : start + DELETE_BATCH]]
            done = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            if failed := done.get("Errors"):
                reason = f"{len(failed)} objects cannot be deleted, {failed[0]['Key']} first: {failed[0]['Message']}"
                raise TransientError(f"{reason}.", "Run it again.")


def date_of(client: "S3Client", bucket: str) -> str:
    """The store's own time, as it stamps its answers (RFC 9110). Raises as `objects`."""
    with s3_errors(bucket):
        return client.list_objects_v2(Bucket=bucket, MaxKeys=1)["ResponseMetadata"]["HTTPHeaders"]["date"]


def refusal(reason: str) -> RainbowError:
    """Why the store answers 401 or 403: the clocks, or else the keys; every client has the store's own code in it."""
    if "RequestTimeTooSkewed" in reason:
        hint = "Set this machine's clock, by NTP for instance; see `rainbow doctor`."
        return RainbowError("The object store refuses requests of this machine's time: their clocks differ.", hint)
    hint = "Check RAINBOW_S3_ACCESS_KEY and RAINBOW_S3_SECRET_KEY."
    return RainbowError(
        f"The object store refuses the credentials: {reason.strip().splitlines()[0].rstrip('.')}.", hint
    )


def abort_uploads(client: "S3Client", bucket: str, prefix: str, before: datetime | None = None) -> int:
    """Abort the multipart uploads below `prefix` (only those begun `before`), and say how many those were.

    A writer that is killed leaves its upload open, and the store keeps its parts. The caller knows that none of these
    uploads has a living writer.

    Raises:
        TransientError, RainbowError: as `keys`.
    """
    with s3_errors(bucket):
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix)
        left = [
            upload
            for page in pages
            for upload in page.get("Uploads", [])
            if upload["Key"].startswith(prefix) and (before is None or upload["Initiated"] < before)
        ]
        for upload in left:
            client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    return len(left)


@contextmanager
def s3_errors(bucket: str) -> Iterator[None]:
    """Turn boto3's errors into the project's: transient where the server is away or busy, else permanent."""
    try:
        yield
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket" or (code == "404" and error.operation_name == "HeadBucket"):
            hint = "Create it, or correct RAINBOW_S3_BUCKET; `rainbow up` creates it in the embedded stack."
            raise RainbowError(f"The bucket {bucket!r} does not exist.", hint) from None
        if status in {401, 403}:
            raise refusal(code) from None
        kind = TransientError if status >= 500 else RainbowError
        raise kind(f"The object store failed: {code} at {error.operation_name}.", "See `rainbow doctor`.") from None
    except BotoCoreError as error:
        hint = "Check RAINBOW_S3_ENDPOINT; see `rainbow doctor`."
        raise TransientError(f"The object store does not answer: {error}.", hint) from None
