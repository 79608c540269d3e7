"""`rainbow stream` against the real source: what it holds equals the source, whatever was changed."""

import psycopg
from streams import catch_up, differences, needs_java, shop

from rainbow_assets.settings import Settings
from rainbow_assets.systems import clickhouse

CHANGES = """
    UPDATE products SET price = price + 0.01, updated_at = '2026-03-03 01:02:03.456789' WHERE id <= 5;
    UPDATE sellers SET name = E'new\\nname', updated_at = '2026-03-03' WHERE id = 1;
    UPDATE customers SET email = NULL, deleted_at = '2026-03-03', updated_at = '2026-03-03' WHERE id = 1;
    UPDATE promotions SET promo_end = '2299-12-31 23:59:59.999999' WHERE id = 1;
    DELETE FROM orderdetails WHERE id = (SELECT min(id) FROM orders);
    DELETE FROM orders WHERE id = (SELECT min(id) FROM orders);
    UPDATE orders SET id = 900001 WHERE id = (SELECT max(id) FROM orders);
    INSERT INTO orders (id, customer_id, payment_id) VALUES (900002, 2, 1);
    INSERT INTO orderdetails (id, product_id, quantity, price) VALUES (900002, 3, -2, 9999999999999999.99);
    UPDATE orderdetails SET quantity = 1 WHERE id = 900002;
    UPDATE orderdetails SET quantity = 7 WHERE id = 900002;
    TRUNCATE brands;
    INSERT INTO brands (id, name) VALUES (1, 'after the truncate');
    ALTER TABLE brands ADD COLUMN colour text;
    INSERT INTO brands (id, name, colour) VALUES (2, 'coloured', 'red');
    UPDATE customers SET first_name = 'changed' WHERE id = 2;
"""
UNTOASTED = (
    "UPDATE categories SET description = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) AS i)"
)


@needs_java
def test_every_kind_of_change_arrives_and_a_lost_slot_leaves_no_gap(fresh_settings: Settings) -> None:
    with shop(fresh_settings) as source:
        assert "First copy" in catch_up()
        assert differences(fresh_settings) == []

        source.execute(UNTOASTED)
        for statement in filter(str.strip, CHANGES.split(";\n")):
            source.execute(statement.encode())
        source.execute("UPDATE categories SET name = name || '!'")  # the long text is not in the log again
        source.execute("UPDATE categories SET id = id + 5000")  # … nor where the key changes
        source.execute("UPDATE categories SET id = id + 5000, name = '__debezium_unavailable_value' WHERE id < 5005")
        said = catch_up()
        assert "Going on from" in said
        assert said.count("colour") == 1
        assert differences(fresh_settings) == []
        with clickhouse.connect(fresh_settings, 30) as client:
            ask = client.query
            deleted = ask("SELECT customer_id, is_deleted FROM speed_orders WHERE id = 1 ORDER BY lsn DESC LIMIT 1")
            assert deleted.result_rows == [(None, True)]
            touched = ask("SELECT change_date FROM speed_touched WHERE table_name = 'orders' AND id = 1 AND flush > 1")
            assert "1900-01-01" in {str(day) for (day,) in touched.result_rows}

        with psycopg.connect(fresh_settings.secret("stream_url"), autocommit=True) as reader:
            reader.execute("SELECT pg_drop_replication_slot('rainbow')")
        source.execute("DELETE FROM orderdetails WHERE id = 900002")
        said = catch_up()
        assert "the replication slot rainbow is gone" in said
        assert differences(fresh_settings) == []
