"""The embedded S3 server's buckets."""

from rainbow_assets.errors import StackError
from rainbow_assets.stack.credentials import Credentials
from rainbow_assets.stack.ports import LOOPBACK


def endpoint(port: int) -> str:
    """The URL of the embedded S3 server."""
    return f"http://{LOOPBACK}:{port}"


def ensure_bucket(port: int, credentials: Credentials, region: str, bucket: str) -> None:
    """Create `bucket` where it is missing.

    Raises:
        StackError: the server does not let itself be used.
    """
    # Here, because half a second of import would slow `status` and `env`.
    from botocore.exceptions import BotoCoreError, ClientError

    from rainbow_assets.systems.object_store import open_client

    client = open_client(endpoint(port), credentials.s3_access_key, credentials.s3_secret_key, region)
    try:
        if bucket not in {entry["Name"] for entry in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        raise StackError(f"The bucket {bucket} cannot be made: {error}.", "See logs/seaweedfs.log.") from None
