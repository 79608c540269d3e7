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
    import boto3  # here, because half a second of import would slow `status` and `env`
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=endpoint(port),
        aws_access_key_id=credentials.s3_access_key,
        aws_secret_access_key=credentials.s3_secret_key,
        region_name=region,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 5, "mode": "standard"}),
    )
    try:
        if bucket not in {entry["Name"] for entry in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        raise StackError(f"The bucket {bucket} cannot be made: {error}.", "See logs/seaweedfs.log.") from None
