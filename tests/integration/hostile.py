"""An environment in which every library finds settings of another program: variables, files of the home and folder."""

from pathlib import Path

import duckdb

from rainbow_assets.systems import ducklake

DEAD = "http://127.0.0.1:9"  # nobody listens
VARIABLES = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), DEAD),
    **dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"), DEAD),
    **dict.fromkeys(("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"), "another"),
    **dict.fromkeys(
        ("AWS_CONFIG_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "PGPASSFILE", "DBT_PROFILES_DIR"), "/no"
    ),
    **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "eu-west-3"),
    **dict.fromkeys(("PGHOST", "PGHOSTADDR"), "192.0.2.1"),
    **dict.fromkeys(("PGSERVICE", "PGTZ", "PGDATESTYLE", "PGCLIENTENCODING", "DBT_TARGET", "DBT_PROFILE"), "another"),
    **dict.fromkeys(("DBT_FULL_REFRESH", "DBT_WARN_ERROR", "DBT_FAIL_FAST", "DBT_EMPTY", "DUCKDB_S3_USE_SSL"), "true"),
    "PGSSLMODE": "require",
    "PGOPTIONS": "-c statement_timeout=1",
    "DAGSTER_HOME": "/no",
    "DAGSTER_PG_URL": "postgresql+psycopg2://a:b@127.0.0.1:9/c",
    "DUCKDB_S3_ENDPOINT": "127.0.0.1:9",
    "PYICEBERG_CATALOG__RAINBOW__URI": DEAD,
    "PYTHONWARNINGS": "error",
    "PYTHONIOENCODING": "ascii",
    "PYTHONSTARTUP": "/no",
    "JAVA_TOOL_OPTIONS": "-Xmx1k",
    "GIT_DIR": "/no",
    "TZ": "America/Lima",
}
HOME_FILES = {
    ".aws/config": "[default]\nendpoint_url = http://127.0.0.1:9\nca_bundle = /no\nuse_fips_endpoint = true\n",
    ".aws/credentials": "[default]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n",
    ".pgpass": "*:*:*:*:wrong\n",
    ".postgresql/root.crt": "no certificate\n",
    ".postgresql/postgresql.crt": "no certificate\n",
    ".postgresql/postgresql.key": "no key\n",
    ".pg_service.conf": "[another]\nhost=192.0.2.1\n",
    ".pyiceberg.yaml": "max-workers: none\ncatalog:\n  rainbow:\n    uri: http://127.0.0.1:9\n",
    ".dbt/profiles.yml": "rainbow: {target: another, outputs: {}}\n",
    ".streamlit/config.toml": "[server]\naddress = '0.0.0.0'\n",
    ".duckdbrc": "SELECT error('read');\n",
}
FOLDER_FILES = {
    "config.xml": "<clickhouse><path>/no/such/place</path></clickhouse>\n",  # the embedded ClickHouse would read it
    ".pyiceberg.yaml": HOME_FILES[".pyiceberg.yaml"],
    "profiles.yml": HOME_FILES[".dbt/profiles.yml"],
    ".env": "RAINBOW_S3_BUCKET=another\n",
}
SHADOWS = ("duckdb", "boto3", "dbt", "dagster", "typer", "pydantic")


def hostile(home: Path, folder: Path) -> dict[str, str]:
    """Write the files, and give the variables."""
    for place, files in ((home, HOME_FILES), (folder, FOLDER_FILES)):
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
    for name in SHADOWS:
        (home / "modules").mkdir(exist_ok=True)
        (home / "modules" / f"{name}.py").write_text("raise ImportError('a module of PYTHONPATH')")
    with duckdb.connect(config={"secret_directory": str(home / ".duckdb" / "stored_secrets")}) as another:
        another.execute(f"LOAD {ducklake.literal(ducklake.extension_file('httpfs'))}")
        another.execute(
            "CREATE PERSISTENT SECRET theirs (TYPE s3, KEY_ID 'a', SECRET 'b', ENDPOINT '127.0.0.1:9', "
            "URL_STYLE 'path', USE_SSL false, SCOPE 's3://rainbow')"
        )
    return VARIABLES | {"HOME": str(home), "PYTHONPATH": str(home / "modules")}
