"""The dashboard on a published shop: its numbers are SQL's, with filters and without; never a traceback."""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import psutil
import pytest
from pydantic import SecretStr
from real_stack import RAINBOW, rainbow

from rainbow_assets.dashboard import queries
from rainbow_assets.dashboard.texts import count, money
from rainbow_assets.settings import Settings
from rainbow_assets.stack.ports import free_ports, is_open
from rainbow_assets.systems import clickhouse, ducklake
from rainbow_assets.transform import open_checks
from rainbow_assets.window import Days

st = pytest.importorskip("streamlit")
AppTest = pytest.importorskip("streamlit.testing.v1").AppTest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.integration

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 3)
SEARCH = "/health/_stcore/"
NAMES = (
    "total_sales", "sales_by_day", "sales_by_day_of_week", "top_sellers", "top_products_by_category", "payment_methods",
    "customer_ranking",
)  # fmt: skip
# What was sold, by the star alone.
FACTS = """
    SELECT sum(f.extended_sales_amount), sum(f.extended_sales_amount) - sum(f.extended_discount_amount),
        uniqExact(f.order_transaction), sum(f.sales_quantity)
    FROM fact_sales AS f
    JOIN (SELECT * FROM dim_products ORDER BY valid_from DESC LIMIT 1 BY product_id) AS p ON p.product_id = f.product_id
    JOIN dim_sellers AS s ON s.seller_key = f.seller_key
    WHERE """
HOLD = """
import time
from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse
with clickhouse.connect(Settings.load()):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def shop(shared_settings: Settings) -> Settings:
    """Three days, run and published."""
    for verb in (
        ("seed", "--days", "3", "--end", str(LAST), "--orders-per-day", "40"),
        ("run", "--from", str(FIRST), "--to", str(LAST)),
    ):
        done = rainbow(*verb)
        assert done.returncode == 0, done.stderr
    return shared_settings


@pytest.fixture(autouse=True)
def forgetful() -> None:
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def held(shop: Settings) -> Iterator[psutil.Process]:
    """Another process has the embedded ClickHouse."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    yield psutil.Process(holder.pid)
    holder.kill()
    holder.wait()


@pytest.fixture(autouse=True)
def _main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """`AppTest` makes its script the process's main module for good; a process that is spawned later would run it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def sales() -> "AppTest":
    def script() -> None:
        from rainbow_assets.dashboard import sales

        sales.page()

    return AppTest.from_function(script, default_timeout=30).run()


def health() -> "AppTest":
    def script() -> None:
        from rainbow_assets.dashboard import health

        health.page()

    return AppTest.from_function(script, default_timeout=30).run()


def html(page: "AppTest") -> list[str]:
    """The page's own HTML, and no exception."""
    assert [error.value for error in page.exception] == []
    return [element.proto.body for element in page.get("html")]


def totals(page: "AppTest") -> str:
    [cards] = [body for body in html(page) if 'aria-label="Totals"' in body]
    return cards


def figures(page: "AppTest") -> list[str]:
    """The totals without how old they are, which changes while a test looks."""
    return re.findall(r'<dd class="rb-value">(.*?)</dd>', totals(page))


def table(page: "AppTest", what: str) -> str:
    [found] = [body for body in html(page) if f'aria-label="{what}"' in body]
    return found


def query(settings: Settings, text: str) -> list[tuple[object, ...]]:
    with clickhouse.connect(settings) as client:
        return [tuple(row) for row in client.query(text).result_rows]


def shown(row: tuple[object, ...]) -> list[str]:
    """How sales, profit, orders and pieces read."""
    return [
        f'<dd class="rb-value">{text}</dd>' for text in (money(row[0]), money(row[1]), count(row[2]), count(row[3]))
    ]


def test_the_totals_and_tables_are_those_of_the_star(shop: Settings) -> None:
    page = sales()
    [sold] = query(shop, FACTS + "true")
    assert all(text in totals(page) for text in shown(sold))
    for day, amount in query(shop, "SELECT date_key, sum(extended_sales_amount) FROM fact_sales GROUP BY 1"):
        text = str(day)
        row = f">{text[:4]}-{text[4:6]}-{text[6:]}</td>"
        assert row in table(page, "sales by day")
        assert money(amount) in table(page, "sales by day").split(row)[1].split("</tr>")[0]
    for name, what, column in (
        ("top_sellers", "top sellers", "seller_name"),
        ("top_products_by_category", "top five products by category", "product_name"),
        ("payment_methods", "payment methods", "payment_name"),
        ("customer_ranking", "customer ranking", "customer_name"),
        ("sales_by_day_of_week", "sales by day of the week", "day_name"),
    ):
        rank = {"top_sellers": "seller_rank", "customer_ranking": "customer_rank"}.get(name, "sales_amount")
        rows = query(shop, f"SELECT {column}, sales_amount FROM v_{name}_batch ORDER BY {rank} LIMIT 3")
        assert rows
        for label, amount in rows:
            assert str(label).replace("'", "&#x27;") in table(page, what)
            assert f">{money(amount)}</td>" in table(page, what)


def test_every_number_says_until_when_it_is_whole_and_whether_it_is_checked(shop: Settings) -> None:
    page = sales()
    until = "batch to 3 Mar 2026, published "
    notes = [body for body in html(page) if 'class="rb-note"' in body]
    assert sum(body.count(until) for body in notes) == 4 + 6  # cards and charts
    assert sum(body.count("checks pass</span>") for body in notes) == 4 + 6
    assert sum(body.count("no live part") for body in notes) == 4 + 6
    assert 'class="rb-live"' not in totals(page)


def test_each_filter_changes_the_numbers_to_those_of_sql(shop: Settings) -> None:
    page = sales()
    [(category,), (other,)] = query(
        shop, "SELECT category FROM v_top_products_by_category_batch GROUP BY 1 ORDER BY 1 LIMIT 2"
    )
    [(seller,)] = query(shop, "SELECT seller_id FROM v_top_sellers_batch ORDER BY seller_rank LIMIT 1")
    day = date(2026, 3, 2)
    chosen = f"p.category IN ({clickhouse.literal(category)}, {clickhouse.literal(other)})"
    for set_it, condition in (
        (lambda: page.date_input(key="first").set_value(day), "f.date_key >= 20260302"),
        (lambda: page.date_input(key="last").set_value(day), "f.date_key = 20260302"),
        (
            lambda: page.multiselect(key="sellers").set_value([seller]),
            f"f.date_key = 20260302 AND s.seller_id = {seller}",
        ),
        (lambda: page.button[0].click(), "true"),
        (lambda: page.multiselect(key="categories").set_value([category, other]), chosen),
    ):
        set_it()
        page.run()
        [sold] = query(shop, FACTS + condition)
        assert sold[2], condition
        assert all(text in totals(page) for text in shown(sold)), condition
    assert table(page, "top five products by category").count("<tr>") == 1 + 10
    customers = query(
        shop,
        "SELECT c.customer_id, sum(f.extended_sales_amount) AS amount FROM fact_sales AS f JOIN (SELECT * FROM "
        "dim_products ORDER BY valid_from DESC LIMIT 1 BY product_id) AS p ON p.product_id = f.product_id "
        "JOIN dim_customers AS c ON c.customer_key = f.customer_key "
        f"WHERE {chosen} GROUP BY 1 ORDER BY amount DESC LIMIT 5",
    )
    for _, amount in customers:
        assert f">{money(amount)}</td>" in table(page, "customer ranking")


def test_sellers_of_one_name_are_told_apart(shop: Settings) -> None:
    three = "(SELECT 1 AS seller_id, 'Ho' AS seller_name UNION ALL SELECT 2, 'Ho' UNION ALL SELECT 3, NULL)"
    text = queries.CHOICES["sellers"].text.replace("v_top_sellers", three)
    assert query(shop, text) == [(1, "Ho (1)"), (2, "Ho (2)"), (3, "Unknown")]


def test_a_choice_without_sales_and_days_in_the_wrong_order_are_one_line(shop: Settings) -> None:
    page = sales()
    page.date_input(key="first").set_value(LAST)
    page.date_input(key="last").set_value(FIRST).run()
    assert [line.value for line in page.info] == ["The first day is after the last one: choose an earlier first day."]
    sellers = query(shop, "SELECT seller_id FROM v_top_sellers_batch ORDER BY seller_rank DESC LIMIT 1")
    page.date_input(key="first").set_value(FIRST)
    page.multiselect(key="sellers").set_value([sellers[0][0]])
    categories = query(
        shop,
        "SELECT category FROM v_top_products_by_category_batch WHERE category NOT IN "
        f"(SELECT category FROM v_sales WHERE seller_id = {sellers[0][0]}) LIMIT 1",
    )
    page.multiselect(key="categories").set_value([categories[0][0]]).run()
    assert html(page)
    assert [line.value for line in page.info] == [
        "No sales here: choose other filters, or run more days with `rainbow run`."
    ]
    assert '<dd class="rb-value">0.00</dd>' in totals(page)


def test_the_live_part_is_marked(shop: Settings) -> None:
    """As the speed layer says it, by its views alone: here they say so in its place."""
    views = ("v_total_sales_speed", "v_watermark")
    before = dict(
        query(
            shop, f"SELECT name, create_table_query FROM system.tables WHERE database = 'rainbow' AND name IN {views}"
        )
    )
    live = (
        "CREATE OR REPLACE VIEW v_total_sales_speed AS SELECT toInt64(-2) AS total_sales_quantity, "
        "toDecimal128('1234.50', 2) AS total_sales_amount, toDecimal128('-0.10', 2) AS total_profit, "
        "NULL AS current_run_date",
        "CREATE OR REPLACE VIEW v_watermark AS SELECT toUInt64(1) AS publication, 'run' AS run_id, now64(6, 'UTC') AS "
        "published_at, toDate32('2026-03-03') AS batch_until, toNullable(now64(6, 'UTC') - toIntervalSecond(4)) AS "
        "live_until, toNullable(0.5) AS lag_seconds, toNullable(toUInt64(7)) AS lag_bytes, "
        "toNullable(now64(6, 'UTC')) AS flushed_at",
    )
    with clickhouse.connect(shop) as client:
        for statement in live:
            client.command(statement)
    try:
        cards = totals(sales())
        for text in ("+1,234.50 live", "−0.10 live", "−2 live", "±0 live"):
            assert f'<dd class="rb-live">{text}</dd>' in cards
        assert "live to " in cards
        assert "no live part" not in cards
        state = "".join(html(health()))
        assert "7 B behind in the log" in state
        with clickhouse.connect(shop) as client:
            client.command(f"{live[1]}, toNullable('First copy: <b>') AS stands_still")
        st.cache_data.clear()
        assert "stands still. First copy: &lt;b&gt;" in "".join(html(health()))
        assert ", where it stands still" in totals(sales())
    finally:
        with clickhouse.connect(shop) as client:
            for name, statement in before.items():
                client.command(f"DROP VIEW {name}")
                client.command(str(statement))


def test_live_means_the_same_with_filters_and_without(shop: Settings) -> None:
    """An order was changed, one was taken back, and one is new: in the speed part's own table of lines, by its view."""
    line = (
        "toDate32('2026-03-02') AS order_date, {0} AS order_transaction, product_id, seller_id, customer_id, payment_id"
    )
    amounts = (
        "toInt64({0}) AS sales_quantity, toDecimal128('{1}', 2) AS sales_amount, "
        "toDecimal128('0', 2) AS discount_amount"
    )
    whole = "SELECT order_transaction FROM v_sales_before GROUP BY 1 HAVING count() = 1"  # an order is live as a whole
    sold = f"(SELECT * FROM v_sales_before WHERE order_transaction IN ({whole}) ORDER BY 2 LIMIT 1 OFFSET {{0}})"
    was = "sales_quantity, sales_amount, discount_amount"
    old = "toInt8(-1) AS sign, order_date, order_transaction, product_id, seller_id, customer_id, payment_id"
    lines = " UNION ALL ".join(
        f"SELECT {head}, {tail} FROM {sold.format(offset)}"
        for head, tail, offset in (
            (old, was, 0),
            (f"toInt8(1) AS sign, {line.format('order_transaction')}", amounts.format(3, "77.00"), 0),
            (old, was, 3),
            (f"toInt8(1) AS sign, {line.format('toInt64(900001)')}", amounts.format(1, "12.50"), 5),
        )
    )
    [(before,)] = query(shop, "SELECT create_table_query FROM system.tables WHERE name = 'speed_lines'")
    with clickhouse.connect(shop) as client:
        client.command(
            "CREATE TABLE v_sales_before ENGINE = MergeTree ORDER BY order_transaction AS SELECT * FROM v_sales"
        )
        client.command(f"CREATE OR REPLACE VIEW speed_lines AS {lines}")
    try:
        found = []
        for filters in (queries.Filters(), queries.Filters(first=date(2000, 1, 1))):
            asked = queries.sales(filters)
            with clickhouse.connect(shop) as client:
                found.append(
                    {name: client.query(asked[name].text, asked[name].parameters).named_results() for name in NAMES}
                )
                found[-1] = {name: sorted(map(_plain, rows)) for name, rows in found[-1].items()}
        assert found[0] == found[1]
        [total] = found[0]["total_sales"]
        assert ("live_order_count", "0") in total  # one taken back, one new
    finally:
        with clickhouse.connect(shop) as client:
            client.command("DROP VIEW speed_lines")
            client.command(str(before))
            client.command("DROP TABLE v_sales_before")


def _plain(row: dict[str, object]) -> list[tuple[str, str]]:
    """Without the share, which the view rounds."""
    return sorted((name, str(value)) for name, value in row.items() if name != "order_share")


def test_one_far_off_day_is_told_and_does_not_squeeze_the_chart(shop: Settings) -> None:
    with clickhouse.connect(shop) as client:
        [(before,)] = query(shop, "SELECT create_table_query FROM system.tables WHERE name = 'v_sales_by_day'")
        client.command(
            "CREATE OR REPLACE VIEW v_sales_by_day AS SELECT * FROM v_sales_by_day_batch UNION ALL SELECT "
            "toDate32('1970-01-05'), 1, 1, toDecimal128('9.00', 2), toDecimal128('0', 2), toDecimal128('9.00', 2)"
        )
    try:
        page = sales()
        said = "days far from these (5 Jan 1970 to 5 Jan 1970; days: 1, orders: 1, sales: 9.00)"
        assert any(said in body for body in html(page))
        assert ">1970-01-05</td>" in table(page, "sales by day")
    finally:
        with clickhouse.connect(shop) as client:
            client.command("DROP VIEW v_sales_by_day")
            client.command(str(before))


def test_all_categories_chosen_look_like_all(shop: Settings) -> None:
    page = sales()
    before = figures(page), table(page, "top sellers")
    names = [name for (name,) in query(shop, "SELECT DISTINCT category FROM v_top_products_by_category")]
    page.multiselect(key="categories").set_value(names).run()
    assert (figures(page), table(page, "top sellers")) == before


def test_amounts_have_their_currency(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAINBOW_CURRENCY", "€")
    page = sales()
    [sold] = query(shop, FACTS + "true")
    assert f'<dd class="rb-value">{money(sold[0])} €</dd>' in totals(page)
    assert '<th scope="col" class="rb-number">Sales (€)</th>' in table(page, "sales by day")


def test_the_health_page_tells_runs_checks_and_sizes(shop: Settings) -> None:
    page = health()
    [(run_id, rows)] = query(shop, "SELECT run_id, rows_written FROM ops_runs")
    assert str(run_id)[:8] in table(page, "last runs")
    assert count(rows) in table(page, "last runs")
    [(known, failing)] = query(
        shop, "SELECT uniqExact(asset, check_name), countIf(NOT coalesce(passed, false)) FROM ops_check_results"
    )
    assert f"{known - failing:,} of {known:,} pass" in "".join(html(page))  # type: ignore[operator]
    for layer in ("raw", "staging", "warehouse", "marts", "ops"):
        assert f"<td>{layer}</td>" in table(page, "storage of the lake")
    [(facts,)] = query(shop, "SELECT sum(rows) FROM system.parts WHERE active AND table LIKE 'store_fact_sales_%'")
    assert f'<td>fact_sales</td><td>batch layer</td><td class="rb-number">{count(facts)}</td>' in table(
        page, "storage of ClickHouse"
    )
    assert "the days have ended" in "".join(html(page))


def test_a_run_that_landed_nothing_is_shown_beside_the_others(shop: Settings) -> None:
    with clickhouse.connect(shop) as client:
        client.command(
            "INSERT INTO ops_runs (run_id, job, status, started_at, ended_at) "
            "VALUES ('maintenance', 'maintenance_job', 'SUCCESS', now64(6), now64(6))"
        )
    try:
        assert "maintenance_job" in table(health(), "last runs")
    finally:
        with clickhouse.connect(shop) as client:
            client.command("DELETE FROM ops_runs WHERE run_id = 'maintenance'")


def test_a_failing_check_is_listed_and_stands_beside_the_numbers(shop: Settings) -> None:
    with clickhouse.connect(shop) as client:
        client.command(
            "INSERT INTO ops_check_results VALUES ('bad', 'marts/total_sales', 'agrees', false, 'ERROR', "
            "now64(6) + toIntervalSecond(5), '<b>2 differ</b>', '{}')"
        )
    try:
        assert totals(sales()).count(" checks fail</span>") == 4
        listed = table(health(), "failing checks")
        assert "<td>agrees</td>" in listed
        assert "&lt;b&gt;2 differ&lt;/b&gt;" in listed
    finally:
        with clickhouse.connect(shop) as client:
            client.command("DELETE FROM ops_check_results WHERE run_id = 'bad'")


def test_what_holds_the_publication_back_is_listed(shop: Settings) -> None:
    assert not any("Nothing is published" in header.value for header in health().header)
    days = Days(FIRST, FIRST)
    with ducklake.connect(shop) as lake:
        for reason in ("3 rows missing", None):
            st.cache_data.clear()
            url = shop.secret("catalog_url")
            open_checks.settle(lake, url, "raw/orders", {"holds_every_source_row_once": reason}, days, "run")
            if reason:
                listed = table(health(), "open checks")
                assert "<td>raw/orders</td>" in listed
                assert f"`rainbow run {FIRST}`" in listed


def test_while_another_process_has_clickhouse_the_last_answer_is_shown(
    shop: Settings, held: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = sales()  # nothing was read before
    assert "in use by process" in page.info[0].value
    assert html(page)
    held.kill()
    held.wait()
    [sold] = query(shop, FACTS + "true")
    page.run()
    assert all(text in totals(page) for text in shown(sold))


def test_the_last_answer_has_its_age(shop: Settings, request: pytest.FixtureRequest) -> None:
    page = sales()
    [sold] = query(shop, FACTS + "true")
    request.getfixturevalue("held")
    st.cache_data.clear()  # its few seconds are over
    page.run()
    assert all(text in totals(page) for text in shown(sold))
    [warning] = page.warning
    assert warning.value.startswith("These are the numbers of ")
    assert "in use by process" in warning.value


@pytest.mark.parametrize("page", [sales, health])
def test_before_the_first_publication_one_line_says_what_to_do(fresh_settings: Settings, page: object) -> None:
    shown = page()  # type: ignore[operator]
    html(shown)
    assert [line.value for line in shown.info] == [
        "Nothing is published yet. `rainbow run` fills the views; `rainbow demo` also fills a shop."
    ]


@pytest.mark.parametrize(
    ("url", "said"),
    [("", "RAINBOW_CLICKHOUSE_URL is not set."), ("clickhouse://u:secret@127.0.0.1:1/rainbow", "ClickHouse failed at")],
)
def test_a_clickhouse_that_is_not_set_or_away_is_one_line(
    fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setattr(
        Settings, "load", lambda: fresh_settings.model_copy(update={"clickhouse_url": SecretStr(url) if url else None})
    )
    page = sales()
    html(page)
    [line] = page.info
    assert line.value.startswith(said)
    assert "secret" not in line.value
    assert len(line.value.splitlines()) == 1


@pytest.fixture(scope="module")
def server(shop: Settings) -> Iterator[str]:
    """`rainbow dashboard`, and its address; it ends with the module."""
    [port] = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([str(RAINBOW), "dashboard", "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not is_open(port) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        assert process.wait(timeout=30) in {0, -15}


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def opened(browser: "Browser", address: str, charts: int) -> "Page":
    """A page whose charts are all drawn; it went to no other host, and no script of it failed."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, locale="en", timezone_id="America/Los_Angeles")
    asked: list[str] = []
    failed: list[object] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url.replace("ws://", "http://")))
    page.on("pageerror", lambda error: failed.append(error))
    # Opened at a page's own address, Streamlit looks for its server below that address first, and meets 404.
    page.on(
        "console",
        lambda said: failed.append(said.text) if said.type == "error" and SEARCH not in str(said.location) else None,
    )
    page.goto(address)
    drawn = "document.querySelectorAll('[data-testid=stVegaLiteChart] svg').length >= {}"
    page.wait_for_function(drawn.format(charts), timeout=60_000)
    host = "/".join(address.split("/")[:3])
    assert [url for url in asked if not url.startswith((host, "data:", "blob:"))] == []
    assert failed == []
    return page


@pytest.mark.parametrize(("path", "charts", "heading"), [("/", 6, "Sales"), ("/health", 2, "Health")])
def test_a_page_in_a_browser_is_whole_and_labelled(
    server: str, browser: "Browser", path: str, charts: int, heading: str
) -> None:
    page = opened(browser, server + path, charts)
    assert page.locator("h1").all_inner_texts() == [heading]
    assert page.get_attribute("html", "lang") == "en"
    assert page.title()
    assert page.locator("[data-testid=stException]").count() == 0
    described = page.locator("[data-testid=stVegaLiteChart]").evaluate_all("all => all.map(e => e.ariaLabel)")
    assert len(described) == charts
    assert all("chart of " in str(label) for label in described)
    assert page.locator("summary", has_text="Table: ").count() == charts
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "combobox", "textbox", "spinbutton", "switch", "checkbox", "link"}
    controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in roles]
    assert len(controls) >= 2
    assert [node for node in controls if not node.get("name", {}).get("value")] == []
    page.close()


def test_the_filters_are_reached_and_used_with_the_keyboard(server: str, browser: "Browser") -> None:
    page = opened(browser, server, 6)
    name = "(e => e.ariaLabel || e.labels?.[0]?.innerText || e.innerText || '')(document.activeElement)"
    reached: list[str] = []
    for _ in range(25):
        page.keyboard.press("Tab")
        reached.append(str(page.evaluate(name)))
    places = [
        next(i for i, label in enumerate(reached) if part in label)
        for part in ("First day", "Last day", "Categories", "Sellers", "Clear")
    ]
    assert places == sorted(places)
    page.get_by_role("combobox", name="Sellers").focus()
    before = page.locator(".rb-value").first.inner_text()
    page.keyboard.press("ArrowDown")  # on "Select all"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelector('.rb-value').innerText != '{before}'", timeout=30_000)
    page.close()


def test_a_day_is_the_same_wherever_the_browser_is(server: str, browser: "Browser") -> None:
    page = opened(browser, server, 6)
    shown = page.locator("[data-testid=stVegaLiteChart] svg").first.text_content() or ""
    assert "01 Mar" in shown
    assert "28 Feb" not in shown
    page.close()


@pytest.mark.parametrize("width", [1280, 800, 390])
def test_nothing_is_wider_than_the_window(server: str, browser: "Browser", width: int) -> None:
    page = opened(browser, server, 6)
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
    page.close()


@pytest.mark.parametrize(
    ("headers", "http", "socket"),
    [
        ({}, 200, 101),
        ({"Origin": "{address}"}, 200, 101),
        ({"Host": "rebound.example"}, 421, 403),
        ({"Origin": "https://evil.example"}, 403, 403),
        ({"Origin": "null"}, 403, 403),
    ],
)
def test_another_page_sees_nothing(server: str, headers: dict[str, str], http: int, socket: int) -> None:
    told = {name: value.format(address=server) for name, value in headers.items()}
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    upgrade |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "streamlit"}
    for path, more, status in (("/", {}, http), ("/_stcore/health", {}, http), ("/_stcore/stream", upgrade, socket)):
        connection = HTTPConnection(server.removeprefix("http://"), timeout=30)
        connection.request("GET", path, headers=told | more)
        assert connection.getresponse().status == status, path
        connection.close()


def test_a_phone_shows_the_way_to_the_other_page(server: str, browser: "Browser") -> None:
    page = opened(browser, server, 6)
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator(".st-key-phone-nav").get_by_role("link", name="Health").click()
    page.locator("h1", has_text="Health").wait_for(timeout=30_000)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    page.close()


def test_a_taken_port_is_one_line(server: str) -> None:
    done = rainbow("dashboard", "--port", server.rpartition(":")[2])
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Port ")
    assert done.stderr.count("\n") == 1
