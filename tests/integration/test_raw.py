"""landing and raw on the real stack: what lands, what is added later, and who can read it."""

import re
from datetime import date

import dagster as dg
import duckdb
import polars as pl
import pytest

from rainbow_assets import window
from rainbow_assets.defs.resources import Lake
from rainbow_assets.errors import RainbowError, SchemaDriftError, SettingsError, TransientError
from rainbow_assets.landing import arrival, checksum, drift
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.drift import Columns
from rainbow_assets.landing.names import LINEAGE
from rainbow_assets.landing.write import extract, within
from rainbow_assets.raw import compare
from rainbow_assets.raw.register import known_columns, once_first, register
from rainbow_assets.settings import Settings
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.systems import clickhouse, ducklake, iceberg, object_store, postgres
from rainbow_assets.tables import TABLES
from rainbow_assets.window import Days

pytestmark = pytest.mark.integration

MARCH_1, MARCH_2, MARCH_3 = (date(2026, 3, day) for day in (1, 2, 3))
DETAILS = TABLES["orderdetails"]


class Shop:
    """A small source, and the steps of the pipeline on it."""

    def __init__(self, settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
        self.settings, self.lake = settings, connection
        self.url = settings.secret("source_url")
        self.s3 = object_store.client(settings)
        self.iceberg = iceberg.connect(settings)

    def sql(self, *statements: str) -> None:
        with postgres.connect(self.url, "test") as connection:
            for statement in statements:
                connection.execute(statement)

    def land(self, days: Days, table=DETAILS):
        columns = drift.check(self.url, table, known_columns(self.lake, table))
        files, older = self.files(days, table), once_first(self.lake, table, days)
        return extract(self.lake, self.url, table, columns, days, files, self.settings.s3_bucket, "run-1", older)

    def register(self, days: Days, table=DETAILS):
        return register(self.lake, self.iceberg, table, self.files(days, table), days, "run-1")

    def ingest(self, days: Days, table=DETAILS):
        landed = self.land(days, table)
        return landed, self.register(days, table)

    def files(self, days: Days, table=DETAILS):
        return landing_files.files(self.s3, self.settings.s3_bucket, table.name, days)

    def rows(self, query: str):
        return self.lake.execute(query).fetchall()


def day(value: date, **options) -> Days:
    return Days(value, value, **options)


@pytest.fixture
def shop(fresh_settings):
    create_schema(fresh_settings.secret("source_url"))
    with ducklake.connect(fresh_settings) as connection:
        shop = Shop(fresh_settings, connection)
        shop.sql(
            "INSERT INTO orders SELECT i, i % 50, i % 3, t, t, NULL FROM (SELECT i, timestamp '2026-03-01' "
            "+ i * interval '17 minutes' AS t FROM generate_series(1, 200) AS i)",
            "INSERT INTO orderdetails (id, product_id, quantity, price, created_at, updated_at) "
            "SELECT id, id % 7, 1 + id % 3, (id % 1000) / 100.0 + 5.01, created_at, updated_at FROM orders",
        )
        yield shop


def test_a_day_lands_as_one_file_that_says_what_it_holds(shop):
    done = shop.land(day(MARCH_2))
    [(file, rows)] = done.files.items()
    source = postgres.fetch(shop.url, "test", "SELECT count(*) FROM orderdetails WHERE updated_at::date = '2026-03-02'")
    assert (rows, done.rows_read) == (source[0][0], source[0][0])
    metadata = dict(shop.rows(f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{file.uri}')"))
    [(found,)] = shop.rows(
        f"SELECT {checksum.row_hash('t')} FROM read_parquet('{file.uri}', hive_partitioning = false) AS t"
    )
    assert metadata["rainbow.rows"] == str(rows)
    assert metadata["rainbow.checksum"] == checksum.text(found)
    assert metadata["rainbow.run_id"] == "run-1"


def test_a_range_lands_as_one_file_a_day(shop):
    done = shop.land(Days(MARCH_1, MARCH_3))
    assert sorted(file.day for file in done.files) == [MARCH_1, MARCH_2, MARCH_3]
    assert done.rows_written == 200


def test_nothing_new_no_file(shop):
    shop.ingest(Days(MARCH_1, MARCH_3))
    landed, registered = shop.ingest(Days(MARCH_1, MARCH_3))
    assert landed.files == {}
    assert (registered.iceberg, registered.ducklake) == (0, 0)


def test_a_column_that_is_null_in_a_whole_file_hides_no_row_of_another(shop):
    shop.sql(
        "UPDATE orderdetails SET price = CASE WHEN updated_at < '2026-03-02' THEN NULL "
        "WHEN updated_at < '2026-03-03' THEN -0.01 ELSE 10.00 END"
    )
    shop.ingest(Days(MARCH_1, MARCH_2))
    shop.ingest(day(MARCH_3))  # DuckLake would take its 10.00 for the least of all
    [(expected,)] = postgres.fetch(shop.url, "test", "SELECT count(*) FROM orderdetails WHERE price < 0")
    assert expected > 0
    assert shop.rows("SELECT count(*) FROM lake.raw.orderdetails WHERE price < 0") == [(expected,)]


def test_a_later_extraction_adds_just_the_new_versions(shop):
    shop.ingest(Days(MARCH_1, MARCH_3))
    shop.sql(
        "UPDATE orderdetails SET price = 99.99 WHERE id = 100",  # another content at the same time
        "UPDATE orderdetails SET deleted_at = '2026-03-02 12:00', updated_at = '2026-03-02 12:00' WHERE id = 101",
        "INSERT INTO orderdetails VALUES (999, 1, 1, 1.00, NULL, '2026-03-02', '2026-03-02 00:00:01', NULL)",
    )
    landed, _ = shop.ingest(Days(MARCH_1, MARCH_3))
    assert [(file.day, rows) for file, rows in landed.files.items()] == [(MARCH_2, 3)]
    held = shop.rows("SELECT price FROM lake.raw.orderdetails WHERE id = 100 ORDER BY extracted_at")
    assert [str(price) for (price,) in held] == ["6.01", "99.99"]


# Under one `updated_at`: what a row becomes, and what it was before.
TURNS = {
    5: ("quantity = quantity + 9", "quantity = quantity - 9"),
    6: ("price = NULL", "price = 5.07"),
    7: ("promotion_id = 3", "promotion_id = NULL"),
    8: ("deleted_at = updated_at", "deleted_at = NULL"),
    9: ("gift_note = 'late'", "gift_note = 'new'"),  # no column of the registry
    10: ("created_at = created_at - interval '1 day'", "created_at = created_at + interval '1 day'"),
}


def test_a_version_that_becomes_again_what_it_was_counts_again(shop):
    """What was extracted last counts: landing, and the check of raw, compare every column with it."""
    shop.sql("ALTER TABLE orderdetails ADD COLUMN gift_note text DEFAULT 'new'")
    days, columns = day(MARCH_1), Columns(DETAILS.columns | {"gift_note": "VARCHAR"})
    shop.ingest(days)
    for turn in (0, 1, 0, 1):
        shop.sql(*(f"UPDATE orderdetails SET {turns[turn]} WHERE id = {key}" for key, turns in TURNS.items()))
        found = compare.source_in_raw(shop.lake, shop.url, DETAILS, columns, days)
        assert (found.missing, found.repeated, len(found.sample)) == (len(TURNS), 0, 5)
        landed, _ = shop.ingest(days)
        assert landed.rows_written == len(TURNS)
        assert shop.land(days).files == {}
        assert compare.source_in_raw(shop.lake, shop.url, DETAILS, columns, days).passed
    names = ", ".join(columns.all)
    query = f"SELECT {names} FROM lake.raw.orderdetails QUALIFY row_number() OVER (PARTITION BY id ORDER BY {{}}) = 1"
    assert set(shop.rows(query.format("extracted_at DESC"))) == set(shop.rows(query.format("extracted_at")))
    many = shop.rows("SELECT id, count(*) FROM lake.raw.orderdetails GROUP BY id HAVING count(*) > 1 ORDER BY id")
    assert many == [(key, 5) for key in TURNS]


def test_what_is_read_last_counts_also_where_the_sources_clock_went_back(shop):
    [file] = shop.land(day(MARCH_1)).files
    shop.lake.execute(f"CREATE TABLE memory.ahead AS FROM read_parquet('{file.uri}', hive_partitioning = false)")
    shop.lake.execute("UPDATE memory.ahead SET extracted_at = extracted_at + INTERVAL 1 HOUR")
    shop.lake.execute(f"COPY memory.ahead TO '{file.uri}' (FORMAT parquet)")  # an hour before the clock went back
    shop.sql("UPDATE orderdetails SET quantity = 99 WHERE id = 5")
    shop.ingest(day(MARCH_1))
    held = shop.rows("SELECT quantity FROM lake.raw.orderdetails WHERE id = 5 ORDER BY extracted_at")
    assert held == [(3,), (99,)]
    assert shop.land(day(MARCH_1)).files == {}


def test_the_first_partition_takes_everything_older(shop):
    shop.sql("INSERT INTO orderdetails VALUES (1000, 1, 1, 1.00, NULL, '2019-05-05', '2019-05-05', NULL)")
    shop.ingest(day(MARCH_1, open_start=True))
    assert shop.rows("SELECT DISTINCT change_date FROM lake.raw.orderdetails WHERE id = 1000") == [(MARCH_1,)]


def test_a_run_looks_back_for_what_came_late(shop):
    start = MARCH_1
    shop.ingest(day(start, open_start=True))
    shop.ingest(day(MARCH_2))
    late = ("2026-02-27 23:59", "2026-02-28 23:59", "2026-03-01 23:59:58", "2026-03-02 12:00")
    for number, time in enumerate(late):
        shop.sql(f"INSERT INTO orderdetails VALUES ({900 + number}, 1, 1, 1.00, NULL, '{time}', '{time}', NULL)")
    shop.sql("UPDATE orderdetails SET price = 7.77 WHERE id = 20")  # of March 1, under its old time
    columns = Columns(DETAILS.columns)
    earlier = window.look_back(day(MARCH_3), 2, start)
    assert compare.source_in_raw(shop.lake, shop.url, DETAILS, columns, earlier).missing == 3

    scope = window.with_look_back(day(MARCH_3), 3, start)
    landed = shop.files(scope)
    done, _ = shop.ingest(scope)
    found = arrival.late(shop.lake, DETAILS, landed, done.files, day(MARCH_3))
    assert found.by_day == {MARCH_1: 3, MARCH_2: 1}  # the first partition takes what is older, of the days looked at
    assert str(found) == "Late rows: 3 of 2026-03-01, 1 of 2026-03-02."
    assert {file.day for file in done.files} == {MARCH_1, MARCH_2, MARCH_3}
    assert shop.ingest(scope)[0].files == {}
    for days in (day(MARCH_3), window.look_back(day(MARCH_3), 3, start)):
        assert compare.source_in_raw(shop.lake, shop.url, DETAILS, columns, days).passed
    everything = Days(start, MARCH_3, open_start=True)
    assert compare.source_in_raw(shop.lake, shop.url, DETAILS, columns, everything).sample == [
        "(900, 1, '2026-02-27 23:59:00')"  # older than it looked back
    ]
    files = shop.files(everything)
    assert compare.catalogs_agree(shop.lake, shop.iceberg, DETAILS, files, everything).wrong == []


def test_what_a_check_reads_of_raw_are_the_files_of_its_days(shop):
    shop.ingest(Days(MARCH_1, MARCH_3))
    [(_, plan)] = shop.rows(
        f"EXPLAIN ANALYZE SELECT sum(price) FROM lake.raw.orderdetails WHERE {within(day(MARCH_2))}"
    )
    assert re.findall(r"Total Files Read: (\d+)", plan) == ["1"]


def test_a_first_partition_that_is_moved_lands_nothing_twice(shop):
    shop.sql(
        "INSERT INTO orderdetails SELECT i, 1, 1, 1.00, NULL, t, t, NULL FROM (SELECT i, timestamp '2026-02-20' "
        "+ i * interval '1 day' - interval '1000 days' AS t FROM generate_series(1000, 1008) AS i)"
    )
    everything = Days(MARCH_1, MARCH_3, open_start=True)
    february = [date(2026, 2, number) for number in range(24, 29)]

    def check(days=everything):
        return compare.source_in_raw(shop.lake, shop.url, DETAILS, Columns(DETAILS.columns), days)

    shop.ingest(day(MARCH_2, open_start=True))
    shop.ingest(day(MARCH_3))
    assert check().passed
    for first in (Days(february[0], MARCH_3, open_start=True), day(february[0], open_start=True), everything):
        assert shop.ingest(first)[0].files == {}
    for single in [*february[1:], MARCH_1]:
        assert shop.ingest(day(single))[0].files == {}
    shop.sql("UPDATE orderdetails SET quantity = 9 WHERE id IN (1, 1001)")
    assert check().missing == 2
    [(file, rows)] = shop.ingest(day(MARCH_1))[0].files.items()
    assert (file.day, rows) == (MARCH_1, 1)
    for first in (day(MARCH_3, open_start=True), Days(MARCH_2, MARCH_3, open_start=True)):  # to a later day
        landed, registered = shop.ingest(first)
        assert (landed.rows_written, registered.iceberg) == (1 - (first.first == MARCH_2), 1 - (first.first == MARCH_2))
        files = shop.files(first)
        assert compare.catalogs_agree(shop.lake, shop.iceberg, DETAILS, files, first).wrong == []
        assert check(first).passed
    assert shop.rows("SELECT count(*), count(DISTINCT id) FROM lake.raw.orderdetails") == [(211, 209)]


def test_what_a_killed_run_left_is_registered_by_the_next(shop):
    shop.land(day(MARCH_1))  # killed before raw
    files = shop.files(day(MARCH_1))
    catalog_table = iceberg.ensure_table(shop.iceberg, "raw", "orderdetails", DETAILS.columns | LINEAGE)
    iceberg.add_files(catalog_table, [file.uri for file in files], "killed")  # killed between the two catalogs
    landed, registered = shop.ingest(day(MARCH_1))
    assert landed.files == {}
    assert (registered.iceberg, registered.ducklake) == (0, 1)
    agreement = compare.catalogs_agree(shop.lake, shop.iceberg, DETAILS, files, day(MARCH_1))
    assert (agreement.files, agreement.wrong) == (1, [])


def test_the_bytes_exist_once_and_four_engines_read_them(shop):
    shop.ingest(Days(MARCH_1, MARCH_3))
    expected = [tuple(map(str, postgres.fetch(shop.url, "test", "SELECT count(*), sum(price) FROM orderdetails")[0]))]
    bucket = shop.settings.s3_bucket
    landed = {f"s3://{bucket}/{key}" for key in object_store.keys(shop.s3, bucket, "raw/orderdetails/")}
    table = shop.iceberg.load_table("raw.orderdetails")

    assert {task.file.file_path for task in table.scan().plan_files()} == landed
    lake_files = shop.rows("SELECT data_file FROM ducklake_list_files('lake', 'orderdetails', schema => 'raw')")
    assert {file for (file,) in lake_files} == landed
    others = [key for key in object_store.keys(shop.s3, bucket, "") if key.endswith(".parquet")]
    assert {f"s3://{bucket}/{key}" for key in others} == landed

    shop.lake.register("arrow", table.scan().to_arrow())
    key, secret = shop.settings.secret("s3_access_key"), shop.settings.secret("s3_secret_key")
    options = {
        "aws_endpoint_url": shop.settings.s3_endpoint,
        "aws_access_key_id": key,
        "aws_secret_access_key": secret,
        "aws_region": shop.settings.s3_region,
        "aws_allow_http": "true",
    }
    polars = pl.scan_iceberg(table, storage_options=options).select(pl.len(), pl.col("price").sum()).collect()
    for extension in ("avro", "iceberg"):
        shop.lake.execute(f"LOAD '{ducklake.extension_file(extension)}'")
    with clickhouse.connect(shop.settings) as client:
        place = f"{shop.settings.s3_endpoint}/{bucket}/iceberg/raw/orderdetails"
        query = f"SELECT count(), sum(price) FROM icebergS3('{place}', '{key}', '{secret}')"
        served = [tuple(map(str, row)) for row in client.query(query).result_rows]
    count = "SELECT count(*)::VARCHAR, sum(price)::VARCHAR FROM "
    assert shop.rows(count + "lake.raw.orderdetails") == expected
    assert shop.rows(count + f"iceberg_scan('{table.metadata_location}')") == expected
    assert shop.rows(count + "arrow") == expected
    assert [tuple(map(str, polars.row(0)))] == expected
    assert served == expected


def test_a_new_column_is_taken_along_everywhere(shop):
    shop.ingest(day(MARCH_1))
    shop.sql("ALTER TABLE orderdetails ADD COLUMN gift_note text", "UPDATE orderdetails SET gift_note = 'n' || id")
    assert drift.check(shop.url, DETAILS, known_columns(shop.lake, DETAILS)).added == {"gift_note": "VARCHAR"}
    _, registered = shop.ingest(day(MARCH_2))
    assert registered.added_columns == ["gift_note"]
    query = "SELECT count(gift_note), count(*) - count(gift_note) FROM lake.raw.orderdetails"
    [(new, old)] = shop.rows(query)
    assert new > 0
    assert old > 0
    arrow = shop.iceberg.load_table("raw.orderdetails").scan().to_arrow()
    assert (arrow.num_rows - arrow["gift_note"].null_count, arrow["gift_note"].null_count) == (new, old)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("ALTER TABLE orderdetails DROP COLUMN promotion_id", "lost promotion_id"),
        ("ALTER TABLE orderdetails ALTER COLUMN quantity TYPE text", r"quantity \(BIGINT became VARCHAR\)"),
        ("ALTER TABLE orderdetails ALTER COLUMN price TYPE numeric(20,4)", r"price \(DECIMAL\(18,2\) became"),
        ("DROP TABLE orderdetails", "no table orderdetails"),
    ],
)
def test_a_lost_column_or_changed_type_stops_the_table(shop, change, reason):
    shop.sql(change)
    with pytest.raises(SchemaDriftError, match=reason):
        shop.land(day(MARCH_1))
    assert shop.files(day(MARCH_1)) == []


def test_money_of_a_column_without_precision_stays_exact(shop):
    shop.sql("ALTER TABLE orderdetails ALTER COLUMN price TYPE numeric")
    shop.sql("UPDATE orderdetails SET price = 9007199254740993.01 WHERE id = 5")
    shop.ingest(day(MARCH_1))
    assert shop.rows("SELECT price::VARCHAR FROM lake.raw.orderdetails WHERE id = 5") == [("9007199254740993.01",)]


def test_a_new_column_of_any_type_arrives(shop):
    values = {
        "smallint": "7", "real": "0.5", "uuid": "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "integer[]": "'{1,2}'",
        "timestamptz": "'2026-03-01 12:00+02'", "time": "'12:34:56'", "interval": "'1 day'", "bytea": r"'\x00ff'",
        "jsonb": """'{"a": [1, null]}'""", "numeric": "0.125", "numeric(30,5)": "12345678901234567890.12345",
        "date": "'infinity'", "char(5)": "'ab'", "inet": "'10.0.0.1'", "boolean": "true",
    }  # fmt: skip
    for place, (kind, value) in enumerate(values.items()):
        shop.sql(f"ALTER TABLE orderdetails ADD COLUMN c{place} {kind} DEFAULT {value}")
    shop.ingest(day(MARCH_1))
    names = ", ".join(f"c{place}::VARCHAR" for place in range(len(values)))
    assert shop.rows(f"SELECT DISTINCT {names} FROM lake.raw.orderdetails") == [
        (
            "7", "0.5", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{1,2}", "2026-03-01 10:00:00+00", "12:34:56", "1 day",
            r"\x00ff", '{"a": [1, null]}', "0.125", "12345678901234567890.12345", None, "ab",
            "10.0.0.1/32", "true",
        )
    ]  # fmt: skip
    [place] = [place for place, kind in enumerate(values) if kind == "date"]
    assert shop.rows("SELECT DISTINCT rescued_data FROM lake.raw.orderdetails") == [(f'{{"c{place}": "infinity"}}',)]
    landed, _ = shop.ingest(day(MARCH_1))
    assert landed.files == {}


def test_times_that_no_reader_can_tell_are_held_within_bounds(shop):
    shop.sql(
        "UPDATE orderdetails SET deleted_at = 'infinity' WHERE id = 5",
        "UPDATE orderdetails SET created_at = '4000-01-01 BC' WHERE id = 6",
        "UPDATE orderdetails SET deleted_at = '12026-01-01' WHERE id = 7",
    )
    shop.ingest(day(MARCH_1))
    query = (
        "SELECT id, created_at::VARCHAR, deleted_at::VARCHAR FROM lake.raw.orderdetails WHERE id IN (6, 7) ORDER BY id"
    )
    assert [row[1:] for row in shop.rows(query)] == [
        ("0001-01-01 00:00:00", None),
        ("2026-03-01 01:59:00", "9999-12-31 23:59:59.999999"),
    ]
    assert shop.iceberg.load_table("raw.orderdetails").scan().to_arrow().num_rows > 0
    landed, _ = shop.ingest(day(MARCH_1))
    assert landed.files == {}


def test_completeness_sees_a_missing_version_of_a_row_that_is_there(shop):
    shop.ingest(day(MARCH_1))
    shop.sql("UPDATE orderdetails SET quantity = 9, updated_at = updated_at + interval '1 second' WHERE id = 5")
    found = compare.source_in_raw(shop.lake, shop.url, DETAILS, Columns(DETAILS.columns), day(MARCH_1))
    assert found.missing == 1


def test_completeness_sees_a_missing_and_a_repeated_row(shop):
    shop.ingest(day(MARCH_1))
    columns = Columns(DETAILS.columns)

    def check():
        return compare.source_in_raw(shop.lake, shop.url, DETAILS, columns, day(MARCH_1))

    assert check().passed
    shop.sql("INSERT INTO orderdetails VALUES (777, 1, 1, 1.00, NULL, '2026-03-01', '2026-03-01 01:00', NULL)")
    assert (check().missing, check().repeated, check().sample) == (1, 0, ["(777, 1, '2026-03-01 01:00:00')"])
    shop.sql("DELETE FROM orderdetails WHERE id = 777")
    assert check().passed
    [file] = shop.files(day(MARCH_1))
    copy = file.uri.replace(".parquet", "-copy.parquet")
    shop.lake.execute(f"COPY (FROM read_parquet('{file.uri}', hive_partitioning = false)) TO '{copy}'")
    shop.register(day(MARCH_1))
    assert check().repeated == check().rows


def test_completeness_allows_versions_that_have_moved_on(shop):
    shop.ingest(day(MARCH_1))
    shop.sql("UPDATE orderdetails SET price = 1.00, updated_at = '2026-03-09' WHERE id = 7")
    found = compare.source_in_raw(shop.lake, shop.url, DETAILS, Columns(DETAILS.columns), day(MARCH_1))
    assert found.passed


@pytest.mark.parametrize(
    ("setting", "value", "kind"),
    [
        ("RAINBOW_SOURCE_URL", "postgresql://nobody:wrong@127.0.0.1:9/rainbow", TransientError),
        ("RAINBOW_SOURCE_URL", "wrong", SettingsError),
        ("RAINBOW_S3_ENDPOINT", "http://127.0.0.1:9", TransientError),
        ("RAINBOW_S3_BUCKET", "no-such-bucket", RainbowError),
        ("RAINBOW_S3_SECRET_KEY", "wrong", RainbowError),
    ],
)
def test_an_unreachable_part_is_named_in_one_line(shop, monkeypatch, setting, value, kind):
    monkeypatch.setenv(setting, value)
    with pytest.raises(kind) as failure:
        Shop(Settings.load(), shop.lake).land(day(MARCH_1))
    assert "\n" not in str(failure.value)
    assert "wrong" not in str(failure.value)
    assert len(str(failure.value)) > 20


def test_a_catalog_made_without_the_trigger_gets_it_with_the_next_run(shop):
    shop.ingest(day(MARCH_1))
    url = shop.settings.secret("catalog_url")
    with postgres.connect(url, "test") as catalog:
        catalog.execute("DROP TRIGGER rainbow_no_bounds ON ducklake_table_column_stats")
        catalog.execute("UPDATE ducklake_table_column_stats SET min_value = '1', max_value = '2'")
    bounds = "SELECT count(*), count(min_value) + count(max_value) FROM ducklake_table_column_stats"
    assert postgres.fetch(url, "test", bounds)[0][1] > 0
    for _ in range(2):
        with Lake().yield_for_execution(dg.build_init_resource_context()) as lake:
            assert lake.connection.execute("SELECT count(*) > 0 FROM lake.raw.orderdetails").fetchall() == [(True,)]
    [(columns, bounded)] = postgres.fetch(url, "test", bounds)
    assert (columns > 0, bounded) == (True, 0)
    with postgres.connect(url, "test") as catalog:
        catalog.execute("UPDATE ducklake_table_column_stats SET min_value = '1'")
    assert postgres.fetch(url, "test", bounds)[0][1] == 0
