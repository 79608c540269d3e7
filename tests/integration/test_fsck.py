"""fsck on the real stack: each kind of damage, made by hand, is named; what can be mended is, the rest stays."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest
from real_stack import rainbow

from rainbow_assets.errors import DataError
from rainbow_assets.landing import checksum, drift
from rainbow_assets.landing import files as landing_files
from rainbow_assets.landing.files import LandingFile, new_key
from rainbow_assets.landing.write import extract
from rainbow_assets.raw import coverage
from rainbow_assets.raw.fsck import Result, fsck
from rainbow_assets.raw.fsck import content as fsck_content
from rainbow_assets.raw.fsck.findings import Kind
from rainbow_assets.raw.register import known_columns, register
from rainbow_assets.serving.lake import require_whole_build
from rainbow_assets.settings import Settings
from rainbow_assets.shop.schema import create_schema
from rainbow_assets.systems import ducklake, ducklake_books, iceberg, object_store, postgres
from rainbow_assets.tables import TABLES
from rainbow_assets.transform import builds, open_checks
from rainbow_assets.window import Days

pytestmark = pytest.mark.integration

DAYS = Days(date(2026, 3, 1), date(2026, 3, 3))
DETAILS = TABLES["orderdetails"]


class Shop:
    """A lake of one table over three days, and the ways to damage it."""

    def __init__(self, settings: Settings, lake: duckdb.DuckDBPyConnection) -> None:
        self.settings, self.lake = settings, lake
        self.bucket, self.url = settings.s3_bucket, settings.secret("source_url")
        self.books = settings.secret("catalog_url")
        self.s3 = object_store.client(settings)
        self.iceberg = iceberg.connect(settings)

    def land(self) -> list[LandingFile]:
        """The new files of an extraction."""
        columns = drift.check(self.url, DETAILS, known_columns(self.lake, DETAILS))
        done = extract(self.lake, self.url, DETAILS, columns, DAYS, self.files(), self.bucket, "run-1")
        return list(done.files)

    def land_late(self) -> LandingFile:
        """What a run left that was killed between landing and raw."""
        self.update_source("UPDATE orderdetails SET price = 1, updated_at = '2026-03-03 23:00' WHERE id < 5")
        [file] = self.land()
        return file

    def register(self) -> None:
        register(self.lake, self.iceberg, DETAILS, self.files(), DAYS, "run-1")

    def files(self) -> list[LandingFile]:
        return landing_files.files(self.s3, self.bucket, DETAILS.name, DAYS)

    def table(self):
        return self.iceberg.load_table(("raw", DETAILS.name))

    def update_source(self, statement: str) -> None:
        with postgres.connect(self.url, "test") as connection:
            connection.execute(statement)

    def write(self, key: str, select: str, metadata: str = "") -> str:
        uri = f"s3://{self.bucket}/{key}"
        self.lake.execute(f"COPY ({select}) TO '{uri}' (FORMAT parquet{metadata})")
        return uri

    def copy(self, file: LandingFile, key: str) -> str:
        self.s3.copy_object(Bucket=self.bucket, Key=key, CopySource={"Bucket": self.bucket, "Key": file.key})
        return f"s3://{self.bucket}/{key}"

    def body(self, file: LandingFile) -> bytes:
        return self.s3.get_object(Bucket=self.bucket, Key=file.key)["Body"].read()

    def put(self, file: LandingFile, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=file.key, Body=body)

    def objects(self) -> dict[str, str]:
        """Everything below raw/, by name and content."""
        return {entry["Key"]: entry["ETag"] for entry in object_store.objects(self.s3, self.bucket, "raw/")}

    def check(self, **options: bool) -> Result:
        return fsck(self.settings, lambda note: None, **options)

    def found(self, **options: bool) -> set[tuple[str, str]]:
        return {(finding.kind.value, finding.where) for finding in self.check(**options).left}

    def rows(self) -> dict[str, tuple[int, str]]:
        """Rows and money as both catalogs show them."""
        query = "SELECT count(*), sum(price)::VARCHAR FROM "
        with ducklake.connect(self.settings, read_only=True) as fresh:
            fresh.register("arrow", self.table().scan().to_arrow())
            seen = {
                name: fresh.execute(query + relation).fetchone()
                for name, relation in (("DuckLake", "lake.raw.orderdetails"), ("Iceberg", "arrow"))
            }
            [(day_rows,)] = fresh.execute(
                "SELECT sum(n) FROM (SELECT count(*) AS n FROM lake.raw.orderdetails GROUP BY change_date)"
            ).fetchall()
            assert day_rows == seen["DuckLake"][0]
        summary = self.table().current_snapshot().summary  # what ClickHouse counts by
        assert int(summary["total-records"]) == seen["Iceberg"][0]
        assert int(summary["total-data-files"]) == len(iceberg.data_files(self.iceberg, "raw", DETAILS.name))
        return seen

    def is_whole(self) -> bool:
        """Whether both catalogs hold the source's rows, once."""
        query = "SELECT count(*), sum(price)::text FROM orderdetails"
        [source] = postgres.fetch(self.url, "test", query)
        return set(self.rows().values()) == {source}

    def next_build_is_whole(self) -> bool:
        """Whether the next build makes everything anew, and nothing is published until then."""
        [(code,)] = self.lake.execute("SELECT code FROM lake.ops.last_build").fetchall()
        try:
            require_whole_build(self.lake)
        except DataError:
            assert code is None
            return True
        assert code is not None
        return False


@pytest.fixture
def shop(fresh_settings: Settings) -> Iterator[Shop]:
    create_schema(fresh_settings.secret("source_url"))
    with ducklake.connect(fresh_settings) as connection:
        shop = Shop(fresh_settings, connection)
        shop.update_source(
            "INSERT INTO orderdetails SELECT i, i % 7, 1 + i % 3, 5.01 + i % 9, NULL, t, t, NULL FROM "
            "(SELECT i, timestamp '2026-03-01' + i * interval '20 minutes' AS t FROM generate_series(0, 200) AS i)"
        )
        shop.land()
        shop.register()
        builds.prepare(connection)
        connection.execute("INSERT INTO lake.ops.last_build (build_id, to_snapshot, code) VALUES ('good', 1, '{}')")
        yield shop


def test_a_healthy_lake_has_no_findings(shop: Shop) -> None:
    for options in ({}, {"quick": True}, {"repair": True}):
        result = shop.check(**options)
        assert (result.files, result.unverified, result.left, result.mended) == (3, 0, [], [])


def test_the_command_names_what_it_found_and_exits_1_until_it_is_mended(shop: Shop) -> None:
    orphan = shop.land_late()
    done = rainbow("fsck")
    assert done.returncode == 1
    assert f"✗ orphaned: {orphan.uri}: in the store, not in Iceberg or DuckLake. Repair registers" in done.stdout
    done = rainbow("fsck", "--repair")
    assert (done.returncode, "4 landing files: 1 mended, 0 left" in done.stdout) == (0, True), done.stdout + done.stderr
    assert f"✓ orphaned, mended: {orphan.uri}" in done.stdout


def test_a_missing_file_is_left_until_it_is_put_back_or_given_up(shop: Shop) -> None:
    file = shop.files()[1]
    body, objects = shop.body(file), shop.objects()
    shop.s3.delete_object(Bucket=shop.bucket, Key=file.key)
    assert shop.found(quick=True) == shop.found(repair=True) == {("missing", file.uri)}

    shop.put(file, body)
    assert shop.check().left == []
    assert shop.is_whole()
    assert shop.objects() == objects

    shop.s3.delete_object(Bucket=shop.bucket, Key=file.key)
    assert not shop.next_build_is_whole()
    for table in coverage.TABLES:
        coverage.note(shop.lake, table, replace(DAYS, open_start=True), datetime.fromisoformat("2026-03-05"), "run-1")
    result = shop.check(repair=True, forget_missing=True)
    assert ([item.kind for item in result.mended], result.left) == ([Kind.missing], [])
    assert shop.next_build_is_whole()
    covered = "SELECT first_day, is_first FROM lake.ops.coverage WHERE table_name = 'orderdetails' ORDER BY ALL"
    assert shop.lake.execute(covered).fetchall() == [(DAYS.first, True), (DAYS.last, False)]
    assert coverage.is_noted(shop.lake, "orders", DAYS)
    [check] = open_checks.standing(shop.lake)
    assert str(check) == f"raw/orderdetails: holds_every_source_row_once of {file.day} (files were given up)"
    with pytest.raises(DataError, match=f"`rainbow run {file.day}`"):
        open_checks.require_none(shop.lake, shop.settings.model_copy(update={"start_date": DAYS.first}))
    shop.land()  # the source still holds it all
    shop.register()
    assert shop.is_whole()
    assert shop.found() == set()

    shop.put(file, body)  # found after all: its rows are in the lake already
    [left] = shop.check(repair=True).left
    assert (left.kind, left.where) == (Kind.orphaned, file.uri)
    assert "72 of its rows are in other files" in left.remedy
    assert shop.is_whole()


def test_a_bucket_without_any_file_is_taken_for_the_wrong_one(shop: Shop) -> None:
    for file in shop.files():
        shop.s3.delete_object(Bucket=shop.bucket, Key=file.key)
    left = shop.check(repair=True, forget_missing=True).left
    assert [(item.kind, "RAINBOW_S3_BUCKET" in item.remedy) for item in left] == [(Kind.missing, True)] * 3
    assert len(ducklake_books.registrations(shop.books, "raw", DETAILS.name)) == 3


def test_orphans_are_registered_but_never_rows_that_are_there(shop: Shop) -> None:
    file = shop.files()[0]
    copy = shop.copy(file, new_key(DETAILS.name, file.day, "copy"))
    names = "id + 1000 AS id, * EXCLUDE (id)"
    alike = f"FROM read_parquet('{file.uri}', hive_partitioning = false)"
    new = shop.write(new_key(DETAILS.name, file.day, "new"), f"SELECT {names} {alike} LIMIT 5")
    other = shop.write(
        new_key(DETAILS.name, file.day, "other"), f"SELECT {names} REPLACE (price::DOUBLE AS price) {alike}"
    )
    before, objects = shop.rows(), shop.objects()
    assert shop.found() == {("orphaned", uri) for uri in (copy, new, other)}
    result = shop.check(repair=True)
    assert [item.where for item in result.mended] == [new]
    assert {item.where: item.remedy.partition(".")[0] for item in result.left} == {
        copy: "left: 72 of its rows are in other files of its day; move it out of raw/",
        other: "left: it has not the table's columns (price is DOUBLE, not DECIMAL(18,2))",
    }
    after = shop.rows()
    assert [after[name][0] - before[name][0] for name in after] == [5, 5]
    assert not shop.next_build_is_whole()  # rows came, and none went
    assert shop.objects() == objects


@pytest.mark.parametrize("lost", [False, True])
def test_what_became_again_what_it_was_counts_after_a_repair(shop: Shop, lost: bool) -> None:
    first = shop.files()[0]
    shop.update_source("UPDATE orderdetails SET price = 1 WHERE id < 5")  # under the same `updated_at`
    shop.land()
    shop.update_source("UPDATE orderdetails SET price = 5.01 + id % 9 WHERE id < 5")
    [last] = shop.land()
    copy = shop.copy(first, new_key(DETAILS.name, first.day, "0"))  # in the order of names before all others
    if lost:
        shop.iceberg.drop_table(("raw", DETAILS.name))
        shop.lake.execute("DROP TABLE lake.raw.orderdetails")
        shop.lake.execute("CALL ducklake_expire_snapshots('lake', older_than => now())")
    result = shop.check(repair=True)
    assert last.uri in {item.where for item in result.mended}
    doubles = {item.where for item in result.left}
    assert len(doubles) == 1
    assert doubles <= {copy, first.uri}
    newest = (
        "SELECT price FROM lake.raw.orderdetails WHERE id = 4 QUALIFY row_number() OVER (ORDER BY extracted_at) = 3"
    )
    assert shop.lake.execute(newest).fetchall() == [(Decimal("9.01"),)]
    assert shop.rows()["DuckLake"] == shop.rows()["Iceberg"]


def test_what_one_catalog_lacks_it_gets_from_the_other(shop: Shop) -> None:
    late = shop.land_late()
    iceberg.add_files(shop.table(), [late.uri], "killed")
    known = ducklake_books.registrations(shop.books, "raw", DETAILS.name)
    ducklake_books.deregister(shop.books, [known[0].id])
    kinds = {(item.where, item.what) for item in shop.check().left}
    assert kinds == {(uri, "in the store, not in DuckLake") for uri in (late.uri, known[0].path)}
    assert shop.check(repair=True).left == []
    assert shop.rows()["DuckLake"] == shop.rows()["Iceberg"]


def test_a_lost_table_comes_back_from_the_landing_files(shop: Shop) -> None:
    objects = shop.objects()
    shop.iceberg.drop_table(("raw", DETAILS.name))
    result = shop.check(repair=True)
    assert (result.left, {item.kind for item in result.mended}) == ([], {Kind.orphaned})
    assert shop.is_whole()
    shop.lake.execute("DROP TABLE lake.raw.orderdetails")
    result = shop.check(repair=True)
    assert (result.left, {item.kind for item in result.mended}) == ([], {Kind.orphaned, Kind.endangered})
    clean_up(shop)
    assert shop.is_whole()
    assert shop.objects() == objects


def clean_up(shop: Shop) -> None:
    """All that DuckLake deletes at a clean-up without any patience."""
    shop.lake.execute("CALL ducklake_expire_snapshots('lake', older_than => now())")
    shop.lake.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")


def test_double_registrations_are_taken_back(shop: Shop) -> None:
    one, two, _ = shop.files()
    ducklake.add_files(shop.lake, "raw", DETAILS.name, [one.uri, two.uri], "twice")
    ducklake.add_files(shop.lake, "raw", DETAILS.name, [one.uri], "thrice")
    iceberg.add_files(shop.table(), [two.uri], "twice")
    iceberg.add_files(shop.table(), [two.uri, one.uri], "thrice")
    objects = shop.objects()
    assert not shop.is_whole()
    left = shop.check().left
    assert {(item.kind, item.where, item.what.partition(",")[0]) for item in left} == {
        (Kind.doubled, one.uri, "registered 3 times in DuckLake"),
        (Kind.doubled, two.uri, "registered 2 times in DuckLake"),
        (Kind.doubled, one.uri, "registered 2 times in Iceberg"),
        (Kind.doubled, two.uri, "registered 3 times in Iceberg"),
    }
    assert shop.check(repair=True).left == []
    assert shop.is_whole()
    assert shop.next_build_is_whole()
    clean_up(shop)
    assert shop.is_whole()
    assert shop.objects() == objects


def test_a_registered_copy_is_taken_back_and_its_object_stays(shop: Shop) -> None:
    file = shop.files()[0]
    copy = shop.copy(file, new_key(DETAILS.name, file.day, "0"))
    shop.register()  # as the next run of that day would
    objects = shop.objects()
    assert not shop.is_whole()
    assert shop.found() == {("doubled", copy)}
    result = shop.check(repair=True)
    assert [(item.kind, item.where) for item in result.mended] == [(Kind.doubled, copy)]
    assert [(item.kind, item.where) for item in result.left] == [(Kind.orphaned, copy)]
    assert shop.is_whole()
    assert shop.next_build_is_whole()
    assert shop.objects() == objects


def test_files_that_ducklake_would_delete_are_spared(shop: Shop) -> None:
    shop.lake.execute(f"DELETE FROM lake.raw.orderdetails WHERE change_date = '{DAYS.first}'")
    file, other, _ = shop.files()
    objects = shop.objects()
    with postgres.connect(shop.books, "test") as connection:
        connection.execute(
            "INSERT INTO ducklake_files_scheduled_for_deletion VALUES (999, %s, false, now())", [other.uri]
        )
    found = shop.found()
    assert {("endangered", file.uri), ("orphaned", file.uri), ("endangered", other.uri)} <= found
    assert shop.check(repair=True).left == []
    clean_up(shop)
    assert shop.objects() == objects
    assert shop.is_whole()


def damaged(change: Callable[[bytearray], bytearray]) -> Callable[[Shop, LandingFile], None]:
    return lambda shop, file: shop.put(file, bytes(change(bytearray(shop.body(file)))))


def flip(body: bytearray, place: int) -> bytearray:
    body[place] ^= 0xFF
    return body


def rewritten(select: str, metadata: str) -> Callable[[Shop, LandingFile], None]:
    def change(shop: Shop, file: LandingFile) -> None:
        key = file.key.removeprefix("raw/")
        shop.write(f"aside/{key}", select.format(f"read_parquet('{file.uri}', hive_partitioning = false)"), metadata)
        shop.put(file, shop.s3.get_object(Bucket=shop.bucket, Key=f"aside/{key}")["Body"].read())

    return change


def other_day(shop: Shop, file: LandingFile) -> None:
    other = next(other for other in shop.files() if other.day != file.day)
    shop.put(file, shop.body(other))


SUMMED = f", KV_METADATA {{'rainbow.rows': '72', 'rainbow.checksum': '{checksum.text(1)}'}}"


DAMAGES = {
    "half": (damaged(lambda body: body[: len(body) // 2]), {"broken", "altered"}),
    "no magic": (damaged(lambda body: flip(body, -1)), {"broken"}),
    "no footer length": (damaged(lambda body: flip(body, -6)), {"broken"}),
    "empty": (damaged(lambda body: bytearray()), {"broken", "altered"}),
    "another day's": (other_day, {"misdated"}),
    "fewer rows": (rewritten("SELECT * FROM {} LIMIT 70", SUMMED), {"miscounted", "altered"}),
    "other rows": (rewritten("SELECT * REPLACE (quantity + 1 AS quantity) FROM {}", SUMMED), {"altered"}),
}


def test_a_damaged_file_is_named_and_left_as_it_is(shop: Shop) -> None:
    file = shop.files()[0]
    healthy, books = shop.body(file), ducklake_books.registrations(shop.books, "raw", DETAILS.name)
    for name, (damage, kinds) in DAMAGES.items():
        damage(shop, file)
        objects = shop.objects()
        found = shop.found(repair=True)
        assert {where for _, where in found} == {file.uri}, name
        assert {kind for kind, _ in found} >= kinds, name
        assert shop.objects() == objects, name
        assert ducklake_books.registrations(shop.books, "raw", DETAILS.name) == books, name
        shop.put(file, healthy)
    assert shop.found() == set()


def test_a_good_file_of_a_million_rows_is_never_called_altered(shop: Shop) -> None:
    """The order in which threads add up its rows differs from reading to reading, and counts for nothing."""
    rows = (
        "SELECT i AS id, i % 7 AS product_id, (i / 3)::DECIMAL(18,2) AS price, DATE '2026-03-01' AS change_date "
        "FROM range(1000000) AS r(i)"
    )
    turned = f"SELECT {checksum.row_hash('t')} FROM (SELECT * FROM ({rows}) ORDER BY hash(id)) AS t"
    [(found,)] = shop.lake.execute(turned).fetchall()
    metadata = f", KV_METADATA {{'rainbow.rows': '1000000', 'rainbow.checksum': '{checksum.text(found)}'}}"
    file = LandingFile(DETAILS.name, DAYS.first, shop.bucket, new_key(DETAILS.name, DAYS.first, "million"))
    shop.write(file.key, rows, metadata)
    for _ in range(8):
        [content] = fsck_content.read(shop.lake, shop.s3, [file]).values()
        assert isinstance(content, fsck_content.Content)
        assert (content.rows, content.is_verifiable, content.is_altered) == (1_000_000, True, False)


def test_a_checksum_of_before_the_exact_sums_is_not_compared(shop: Shop) -> None:
    file = shop.files()[0]
    old = f", KV_METADATA {{'rainbow.rows': '72', 'rainbow.checksum': '{duckdb.__version__}:1'}}"
    rewritten("SELECT * FROM {}", old)(shop, file)
    with ducklake.connect(shop.settings) as fresh:
        [content] = fsck_content.read(fresh, shop.s3, [file]).values()
    assert isinstance(content, fsck_content.Content)
    assert (content.is_verifiable, content.is_altered) == (False, False)


def test_a_single_wrong_bit_is_found_wherever_it_changes_a_row(shop: Shop) -> None:
    file = shop.files()[0]
    rows = f"FROM read_parquet('{file.uri}', hive_partitioning = false)"
    shop.lake.execute(f"CREATE TABLE memory.main.healthy AS {rows}")
    healthy, found = shop.body(file), 0
    for place in range(40, len(healthy) - 400, 150):
        shop.put(file, bytes(flip(bytearray(healthy), place)))
        with ducklake.connect(shop.settings) as fresh:
            [content] = fsck_content.read(fresh, shop.s3, [file]).values()
        if isinstance(content, fsck_content.Unreadable) or content.is_altered:
            found += 1
        else:
            difference = f"FROM ((FROM memory.main.healthy) EXCEPT ALL ({rows}))"
            assert shop.lake.execute(f"SELECT count(*) {difference}").fetchall() == [(0,)], place
    assert found > 3


def test_what_is_no_landing_file_is_named_and_left(shop: Shop) -> None:
    keys = ["raw/orderdetails/notes.txt", "raw/orderdetails/change_date=2026-02-31/x.parquet",
            "raw/unknown/change_date=2026-03-01/x.parquet"]  # fmt: skip
    for key in keys:
        shop.s3.put_object(Bucket=shop.bucket, Key=key, Body=b"x")
    shop.lake.execute("INSERT INTO lake.raw.orderdetails FROM lake.raw.orderdetails LIMIT 1")
    found = shop.found(repair=True)
    assert {kind for kind, _ in found} == {"foreign"}
    assert {f"s3://{shop.bucket}/{key}" for key in keys} < {where for _, where in found}
    assert len(found) == 4


def test_what_a_run_is_at_is_looked_at_again_when_it_has_ended(shop: Shop) -> None:
    shop.land_late()
    found: list[set[tuple[str, str]]] = []
    worker = threading.Thread(target=lambda: found.append(shop.found()))
    with postgres.lock(shop.books, "test", "raw.orderdetails"):
        worker.start()
        worker.join(5)
        assert worker.is_alive()
        shop.register()
    worker.join(60)
    assert found == [set()]
