"""How much the lake holds, and since when: from DuckLake's books, which remember every snapshot that is kept.

Nothing is stored for it: a file came with one snapshot and went with another. Files older than the oldest snapshot that
maintenance kept count from that one on.
"""

import pandas as pd
import psycopg

from rainbow_assets.errors import DataError
from rainbow_assets.settings import Settings
from rainbow_assets.systems import postgres

FILES = """
    WITH moments AS (SELECT snapshot_id, snapshot_time AT TIME ZONE 'UTC' AS at FROM ducklake_snapshot),
    tables AS (
        SELECT t.table_id, min(s.schema_name) AS layer, min(coalesce(t.end_snapshot, 9223372036854775807)) AS gone
        FROM ducklake_table AS t JOIN ducklake_schema AS s USING (schema_id) GROUP BY t.table_id
    ),
    files AS (
        SELECT f.data_file_id, t.layer, f.file_size_bytes AS bytes, f.record_count AS rows,
            coalesce(b.at, (SELECT min(at) FROM moments)) AS came,
            CASE WHEN least(f.end_snapshot, t.gone) < 9223372036854775807
                THEN coalesce(e.at, (SELECT min(at) FROM moments)) END AS went
        FROM ducklake_data_file AS f JOIN tables AS t USING (table_id)
        LEFT JOIN moments AS b ON b.snapshot_id = f.begin_snapshot
        LEFT JOIN moments AS e ON e.snapshot_id = least(f.end_snapshot, t.gone)
    )"""
SIZES = f"""{FILES}
    SELECT layer, count(*) AS files, sum(rows)::bigint AS rows, sum(bytes)::bigint AS bytes
    FROM files WHERE went IS NULL GROUP BY layer ORDER BY bytes DESC"""
GROWTH = f"""{FILES},
    steps AS (
        SELECT layer, date_trunc('minute', came) AS at, bytes, 1 AS files FROM files
        UNION ALL SELECT layer, date_trunc('minute', went), -bytes, -1 FROM files WHERE went IS NOT NULL
        UNION ALL SELECT DISTINCT layer, timezone('UTC', now()), 0, 0 FROM files
    )
    SELECT layer, at, (sum(sum(bytes)) OVER so_far)::bigint AS bytes, (sum(sum(files)) OVER so_far)::bigint AS files
    FROM steps GROUP BY layer, at WINDOW so_far AS (PARTITION BY layer ORDER BY at) ORDER BY layer, at"""


def lake(settings: Settings) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Files, rows and bytes of each layer now; and bytes and files of each layer at every minute that changed them.

    Raises:
        DataError: there is no lake yet.
        SettingsError: RAINBOW_CATALOG_URL is not set, or refused.
        TransientError: the catalog does not answer.
    """
    url = settings.secret("catalog_url")
    try:
        sizes = postgres.fetch(url, "RAINBOW_CATALOG_URL", SIZES)
        growth = postgres.fetch(url, "RAINBOW_CATALOG_URL", GROWTH)
    except psycopg.errors.UndefinedTable:
        raise DataError("There is no lake in RAINBOW_CATALOG_URL yet.", "The first `rainbow run` makes it.") from None
    grown = pd.DataFrame(growth, columns=["layer", "at", "bytes", "files"])
    grown["at"] = pd.to_datetime(grown["at"], utc=True)  # a browser takes a time without a zone for its own
    return pd.DataFrame(sizes, columns=["layer", "files", "rows", "bytes"]), grown
