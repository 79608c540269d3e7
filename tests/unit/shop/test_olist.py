"""The Olist files: the mapping on a few rows, and every kind of broken file. No PostgreSQL is needed."""

import gzip
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from rainbow_assets.errors import DataError
from rainbow_assets.shop.olist import as_shop, date_range


def at(*parts: int) -> datetime:
    """A time as the shop holds it: in UTC, without saying so."""
    return datetime(*parts)  # noqa: DTZ001


GOOD = {
    "olist_customers_dataset": [
        "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state",
        'c1,"zoe",01,franca,SP',
        "c2,adam,02,osasco,SP",
        "c3,zoe,03,santos,SP",
    ],
    "olist_sellers_dataset": ["seller_id,seller_zip_code_prefix", "s2,13", "s1,14"],
    "olist_products_dataset": [
        "product_id,product_category_name",
        "pppppppp-2,",
        "pppppppp-1,perfumaria",
        "pppppppp-3,pc_gamer",
    ],
    "product_category_name_translation": [
        "\ufeffproduct_category_name,product_category_name_english",
        "perfumaria,perfumery",
    ],
    "olist_orders_dataset": [
        "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,"
        "order_delivered_customer_date,order_estimated_delivery_date",
        "o2,c1,delivered,2017-03-02 10:00:00,2017-03-02 11:00:00,2017-03-04 09:00:00,2017-03-09 18:30:00,",
        "o1,c2,canceled,2017-03-01 08:00:00,2017-03-01 09:15:00,,,2017-03-20 00:00:00",
        "o3,c3,unavailable,2017-03-05 23:59:59,,,,2017-03-20 00:00:00",
    ],
    "olist_order_payments_dataset": [
        "order_id,payment_sequential,payment_type,payment_installments,payment_value",
        "o2,1,voucher,1,10.00",
        "o2,2,credit_card,1,15.00",
        "o2,3,voucher,1,5.01",
        "o1,1,credit_card,1,7.50",
        "o1,2,boleto,1,7.50",
    ],
    "olist_order_items_dataset": [
        "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value",
        "o2,1,pppppppp-1,s2,2017-03-06 00:00:00,10.10,1.00",
        "o2,2,pppppppp-1,s2,2017-03-06 00:00:00,10.10,1.00",
        "o2,3,pppppppp-1,s1,2017-03-06 00:00:00,9.90,1.00",
        "o1,1,pppppppp-1,s2,2017-03-06 00:00:00,11.00,1.00",
        "o1,2,pppppppp-2,s1,2017-03-06 00:00:00,0.85,1.00",
    ],
}


def write(folder: Path, changes: dict[str, list[str] | None] | None = None) -> Path:
    for name, lines in (GOOD | (changes or {})).items():
        if lines is not None:
            (folder / f"{name}.csv").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return folder


def with_line(name: str, number: int, line: str) -> dict[str, list[str] | None]:
    """The good file with one line replaced, or added at the end; a header is line 1."""
    lines = list(GOOD[name])
    lines[number - 1 : number] = [line]
    return {name: lines}


@pytest.fixture
def tables(tmp_path):
    with as_shop(write(tmp_path)) as shop:
        yield lambda query: shop.execute(query).fetchall()


def test_customers_are_people_with_the_city_of_their_first_order(tables):
    assert tables("SELECT id, last_name, first_name, email, created_at FROM shop.customers ORDER BY id") == [
        (1, "adam", "osasco", None, at(2017, 3, 1)),
        (2, "zoe", "franca", None, at(2017, 3, 2)),
    ]


def test_products_are_pairs_with_their_highest_price(tables):
    assert tables(
        """SELECT p.id, p.name, p.price, p.original_price, s.name, c.name, p.created_at FROM shop.products p
           JOIN shop.sellers s ON s.id = p.seller_id JOIN shop.categories c ON c.id = p.category_id ORDER BY p.id"""
    ) == [
        (1, "perfumery pppppppp", Decimal("9.90"), Decimal("9.90"), "s1", "perfumery", at(2017, 3, 2)),
        (2, "perfumery pppppppp", Decimal("11.00"), Decimal("11.00"), "s2", "perfumery", at(2017, 3, 1)),
        (3, "unknown pppppppp", Decimal("0.85"), Decimal("0.85"), "s1", "unknown", at(2017, 3, 1)),
    ]
    assert tables("SELECT id, name FROM shop.categories ORDER BY id") == [
        (1, "pc_gamer"),
        (2, "perfumery"),
        (3, "unknown"),
    ]
    assert tables(
        "SELECT DISTINCT rating_average, review_count, sold_count, brand_id, promotion_id FROM shop.products"
    ) == [(0, 0, 0, 1, None)]


def test_an_order_takes_the_payment_with_the_largest_sum_then_the_first_by_name(tables):
    assert tables(
        "SELECT o.id, p.type FROM shop.orders o JOIN shop.payments p ON p.id = o.payment_id ORDER BY o.id"
    ) == [(1, "boleto"), (2, "voucher"), (3, "not_defined")]
    assert tables("SELECT id, type, created_at FROM shop.payments ORDER BY id") == [
        (1, "boleto", at(2017, 3, 1)),
        (2, "credit_card", at(2017, 3, 1)),
        (3, "not_defined", at(2017, 3, 5)),
        (4, "voucher", at(2017, 3, 2)),
    ]


def test_orders_end_with_their_last_event_and_lost_ones_are_deleted_then(tables):
    assert tables("SELECT id, customer_id, created_at, updated_at, deleted_at FROM shop.orders ORDER BY id") == [
        (1, 1, at(2017, 3, 1, 8), at(2017, 3, 1, 9, 15), at(2017, 3, 1, 9, 15)),
        (2, 2, at(2017, 3, 2, 10), at(2017, 3, 9, 18, 30), None),
        (3, 2, at(2017, 3, 5, 23, 59, 59), at(2017, 3, 5, 23, 59, 59), at(2017, 3, 5, 23, 59, 59)),
    ]


def test_details_count_the_items_of_a_pair(tables):
    assert tables("SELECT id, product_id, quantity, price, promotion_id FROM shop.orderdetails ORDER BY ALL") == [
        (1, 2, 1, Decimal("11.00"), None),
        (1, 3, 1, Decimal("0.85"), None),
        (2, 1, 1, Decimal("9.90"), None),
        (2, 2, 2, Decimal("10.10"), None),
    ]
    assert tables("SELECT (SELECT count(*) FROM shop.promotions), (SELECT count(*) FROM shop.inventories)") == [(0, 0)]


def test_the_range_goes_from_the_first_order_to_the_last_change(tmp_path):
    with as_shop(write(tmp_path)) as shop:
        assert date_range(shop) == (date(2017, 3, 1), date(2017, 3, 9))


def test_compressed_files_and_other_orders_of_columns_are_read_alike(tmp_path):
    write(tmp_path)
    plain = tmp_path / "olist_sellers_dataset.csv"
    (tmp_path / "olist_sellers_dataset.csv.gz").write_bytes(gzip.compress(b"extra,seller_id\r\n,s2\r\n,s1\r\n"))
    plain.unlink()
    with as_shop(tmp_path) as shop:
        assert shop.execute("SELECT name FROM shop.sellers ORDER BY id").fetchall() == [("s1",), ("s2",)]


ORDERS, ITEMS, PAYMENTS = "olist_orders_dataset", "olist_order_items_dataset", "olist_order_payments_dataset"
BROKEN = {
    "missing file": ({ITEMS: None}, r"olist_order_items_dataset.csv \(or .csv.gz\) is missing"),
    "empty file": (
        {"olist_sellers_dataset": []},
        r"olist_sellers_dataset.csv, line 1, column seller_id: the column is missing",
    ),
    "missing column": (
        with_line("olist_customers_dataset", 1, "customer_id,unique_id,zip,customer_city,state"),
        r"olist_customers_dataset.csv, line 1, column customer_unique_id: the column is missing",
    ),
    "column twice": (
        with_line("olist_sellers_dataset", 1, "seller_id,seller_id"),
        r"olist_sellers_dataset.csv, line 1, column seller_id: the column stands there twice",
    ),
    "no order": ({ORDERS: GOOD[ORDERS][:1], ITEMS: GOOD[ITEMS][:1], PAYMENTS: GOOD[PAYMENTS][:1]}, "holds no order"),
    "too few fields": (
        with_line(ITEMS, 3, "o2,2,pppppppp-1"),
        r"olist_order_items_dataset.csv, line 3, column \w+: Expected",
    ),
    "too many fields": (
        with_line(ITEMS, 4, GOOD[ITEMS][3] + ",9"),
        r"olist_order_items_dataset.csv, line 4, column after the last: Expected Number of Columns: 7 Found: 8",
    ),
    "bad number": (
        with_line(ITEMS, 3, "o2,2,pppppppp-1,s2,2017-03-06 00:00:00,ten,1.00"),
        r"olist_order_items_dataset.csv, line 3, column price: .*ten",
    ),
    "no number": (
        with_line(ITEMS, 3, "o2,2,pppppppp-1,s2,2017-03-06 00:00:00,,1.00"),
        r"olist_order_items_dataset.csv, line 3, column price: the value is missing",
    ),
    "NaN": (
        with_line(PAYMENTS, 2, "o2,1,voucher,1,NaN"),
        r"olist_order_payments_dataset.csv, line 2, column payment_value: .*NaN",
    ),
    "negative price": (
        with_line(ITEMS, 5, "o1,1,pppppppp-1,s2,2017-03-06 00:00:00,-11.00,1.00"),
        r"olist_order_items_dataset.csv, line 5, column price: the price -11.0000 is negative",
    ),
    "part of a cent": (
        with_line(ITEMS, 5, "o1,1,pppppppp-1,s2,2017-03-06 00:00:00,11.005,1.00"),
        r"olist_order_items_dataset.csv, line 5, column price: the price 11.0050 .* parts of a cent",
    ),
    "two prices": (
        with_line(ITEMS, 3, "o2,2,pppppppp-1,s2,2017-03-06 00:00:00,10.11,1.00"),
        r"olist_order_items_dataset.csv, line 3, column price: the price 10.1100 differs from 10.1000",
    ),
    "bad timestamp": (
        with_line(ORDERS, 3, "o1,c2,canceled,2017-13-01 08:00:00,,,,"),
        r"olist_orders_dataset.csv, line 3, column order_purchase_timestamp: .*2017-13-01",
    ),
    "no timestamp": (
        with_line(ORDERS, 3, "o1,c2,canceled,,,,,"),
        r"olist_orders_dataset.csv, line 3, column order_purchase_timestamp: the value is missing",
    ),
    "year 9999": (
        with_line(ORDERS, 3, "o1,c2,canceled,2017-03-01 08:00:00,9999-01-01 00:00:00,,,"),
        r"olist_orders_dataset.csv, line 3, column order_approved_at: the time 9999-01-01",
    ),
    "infinite time": (
        with_line(ORDERS, 3, "o1,c2,canceled,infinity,,,,"),
        r"olist_orders_dataset.csv, line 3, column order_purchase_timestamp: the time infinity",
    ),
    "open quote": (
        with_line(ORDERS, 3, '"o1,c2,canceled,2017-03-01 08:00:00,,,,'),
        r"olist_orders_dataset.csv, line 3, column order_id: .*quote",
    ),
    "empty key": (
        with_line("olist_customers_dataset", 4, ",zoe,03,santos,SP"),
        r"olist_customers_dataset.csv, line 4, column customer_id: the value is missing",
    ),
    "order twice": (
        with_line(ORDERS, 5, GOOD[ORDERS][2]),
        r"olist_orders_dataset.csv, line 5, column order_id: the key o1",
    ),
    "item twice": (
        with_line(ITEMS, 7, GOOD[ITEMS][1]),
        r"olist_order_items_dataset.csv, line 7, column order_item_id: the key o2, 1",
    ),
    "unknown order": (
        with_line(ITEMS, 6, "o9,2,pppppppp-2,s1,2017-03-06 00:00:00,0.85,1.00"),
        r"olist_order_items_dataset.csv, line 6, column order_id: o9 is unknown in the orders file",
    ),
    "unknown product": (
        with_line(ITEMS, 6, "o1,2,p9,s1,2017-03-06 00:00:00,0.85,1.00"),
        r"olist_order_items_dataset.csv, line 6, column product_id: p9 is unknown in the products file",
    ),
    "unknown seller": (
        with_line(ITEMS, 6, "o1,2,pppppppp-2,s9,2017-03-06 00:00:00,0.85,1.00"),
        r"olist_order_items_dataset.csv, line 6, column seller_id: s9 is unknown in the sellers file",
    ),
    "unknown customer": (
        with_line(ORDERS, 2, "o2,c9,delivered,2017-03-02 10:00:00,,,,"),
        r"olist_orders_dataset.csv, line 2, column customer_id: c9 is unknown in the customers file",
    ),
    "payment of an unknown order": (
        with_line(PAYMENTS, 6, "o9,2,boleto,1,7.50"),
        r"olist_order_payments_dataset.csv, line 6, column order_id: o9 is unknown in the orders file",
    ),
}


@pytest.mark.parametrize(("changes", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_refused_with_file_line_and_column(tmp_path, changes, said):
    with pytest.raises(DataError, match=said) as failure, as_shop(write(tmp_path, changes)):
        pass
    assert "\n" not in str(failure.value)


def test_text_that_is_not_utf8_is_refused(tmp_path):
    write(tmp_path)
    with (tmp_path / "olist_sellers_dataset.csv").open("ab") as stream:
        stream.write(b"\xff\xfe,15\n")
    with (
        pytest.raises(DataError, match=r"olist_sellers_dataset.csv, line 4, column seller_id: .*utf-8"),
        as_shop(tmp_path),
    ):
        pass


def test_a_compressed_file_that_ends_early_is_refused(tmp_path):
    write(tmp_path, {"olist_sellers_dataset": None})
    whole = gzip.compress("".join(f"seller {i % 977},x\n" for i in range(50_000)).encode())
    (tmp_path / "olist_sellers_dataset.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"olist_sellers_dataset.csv.gz cannot be read"), as_shop(tmp_path):
        pass


def test_a_file_that_is_only_called_gz_is_refused(tmp_path):
    write(tmp_path, {"olist_sellers_dataset": None})
    (tmp_path / "olist_sellers_dataset.csv.gz").write_text("seller_id\ns1\ns2\n")
    with pytest.raises(DataError, match=r"olist_sellers_dataset.csv.gz cannot be read"), as_shop(tmp_path):
        pass


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataError, match="is no folder"), as_shop(tmp_path / "nowhere"):
        pass
