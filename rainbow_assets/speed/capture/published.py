"""What of the shop is in the log, and whether that is what the live views need.

Here: how the publication, its tables, their columns and partitions stand, and what changed since. Whoever reads the log
compares after reading: what was the same before and after was so for all that was read. Not here: the server, the slot
and the right to read (`source.py`), or what follows from a change (`stream.py`).
"""

import hashlib
import json
from dataclasses import dataclass

import psycopg

from rainbow_assets.errors import DataError, RainbowError
from rainbow_assets.speed.tables import NEEDED
from rainbow_assets.tables import TABLES

NAME = "rainbow"
# What a kind of column may be in the source, by PostgreSQL's names; text takes all.
NUMBERS = {"smallint", "integer", "bigint"}
READABLE = {
    "INTEGER": NUMBERS,
    "BIGINT": NUMBERS,
    "BOOLEAN": {"boolean"},
    "TIMESTAMP": {"timestamp without time zone"},
    "DECIMAL": NUMBERS | {"numeric", "real", "double precision"},
}
GENERATED_SINCE = 180000  # the version of PostgreSQL that can publish generated columns

# The tables of the shop, and the parts of those that are partitioned, which hold the rows.
RELATIONS = """
    roots AS (
        SELECT c.* , c.oid AS id FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY(%(tables)s)
    ),
    parts AS (
        SELECT r.relname::text AS root, c.oid AS id, c.relname::text AS name, c.relkind,
            c.relpersistence, c.relreplident, pg_relation_filenode(c.oid) AS file, i.xmin::text AS attached
        FROM roots AS r CROSS JOIN pg_partition_tree(r.id) AS t JOIN pg_class AS c ON c.oid = t.relid
        LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
        WHERE r.relkind = 'p'
    ),
    identities AS (
        SELECT h.root, h.id, concat_ws(':', h.id, h.relreplident, coalesce(k.oid, x.indexrelid), x.indkey) AS state
        FROM (SELECT relname::text AS root, id, relreplident FROM roots
              UNION SELECT root, id, relreplident FROM parts) AS h
        LEFT JOIN pg_index AS x ON x.indrelid = h.id
            AND CASE h.relreplident WHEN 'd' THEN x.indisprimary ELSE x.indisreplident END
        -- REINDEX makes another index, of the same constraint.
        LEFT JOIN pg_constraint AS k ON k.conindid = x.indexrelid AND k.conrelid = h.id AND k.contype IN ('p', 'u')
    )"""
# A row a thing that can change: its table, what it is, of which partition, and how it stands (`State`). A row of the
# catalogue has the number of the transaction that wrote it (xmin) in it: what was changed and changed back is another.
LOOK = f"""
    WITH {RELATIONS}
    SELECT '', 'publication', 0, p.xmin::text || to_jsonb(p)::text || coalesce((
        SELECT string_agg(concat(n.oid, ':', n.xmin), ',' ORDER BY n.oid)
        FROM pg_publication_namespace AS n WHERE n.pnpubid = p.oid), ''), '', '', '', false
    FROM pg_publication AS p WHERE p.pubname = '{NAME}'
    UNION ALL
    SELECT r.relname, 'place in the publication', 0, concat_ws(' ', m.oid, m.xmin, t.tablename, t.rowfilter),
        '', '', '', false
    FROM roots AS r JOIN pg_publication AS p ON p.pubname = '{NAME}'
    LEFT JOIN pg_publication_rel AS m ON m.prpubid = p.oid AND m.prrelid = r.id
    LEFT JOIN pg_publication_tables AS t
        ON t.pubname = p.pubname AND t.schemaname = 'public' AND t.tablename = r.relname
    UNION ALL
    SELECT relname, 'table', 0, id::text, '', '', '', false FROM roots
    UNION ALL
    SELECT i.root, 'replica identity', p.id, string_agg(i.state, ',' ORDER BY i.state), '', '', '',
        coalesce(bool_and({{is_new}}), false)
    FROM identities AS i LEFT JOIN parts AS p ON p.id = i.id GROUP BY i.root, p.id
    UNION ALL
    SELECT r.relname, 'columns', 0, string_agg(concat_ws(':', a.attname, a.attnum, a.atttypid, a.atttypmod,
        a.attgenerated, d.oid, (SELECT string_agg(concat(e.enumlabel, e.xmin), ',' ORDER BY e.oid) FROM pg_enum AS e
        WHERE e.enumtypid = a.atttypid)), ',' ORDER BY a.attnum),
        string_agg(a.xmin::text, ',' ORDER BY a.attnum),
        coalesce(pg_relation_filenode(r.id)::text, ''),
        string_agg(concat_ws(':', to_jsonb(a) -> 'attstattarget', a.attnotnull, a.attstorage, a.attcompression,
            a.attoptions, a.attacl, o.xmin), ',' ORDER BY a.attnum),
        false
    FROM roots AS r JOIN pg_attribute AS a ON a.attrelid = r.id AND a.attnum > 0 AND NOT a.attisdropped
        AND r.relname || '.' || a.attname = ANY(%(needed)s)
    LEFT JOIN pg_attrdef AS d ON d.adrelid = r.id AND d.adnum = a.attnum AND a.attgenerated <> ''
    LEFT JOIN pg_attrdef AS o ON o.adrelid = r.id AND o.adnum = a.attnum
    GROUP BY r.relname, r.id
    UNION ALL
    SELECT p.root, 'partitions', p.id, concat_ws(':', p.id, p.attached, p.file), '', '', '', {{is_new}}
    FROM parts AS p""".replace(
    # No row was ever in it that the log does not have: it is empty, and has the file that it was created with.
    "{is_new}",
    "p.attached IS NOT NULL AND (p.relkind = 'p' OR (p.file = p.id AND pg_relation_size(p.id) = 0))",
)


@dataclass(frozen=True)
class State:
    """How a thing stands. Of columns, what counts is `what`, and what was changed and changed back.

    `written`: the transactions that wrote it in the catalogue, which may have changed what is `beside` the log only:
    defaults, NOT NULL, statistics, storage, rights. `file`: of its table; another one may have other values.
    `is_new`: a partition that had no row yet.
    """

    what: str
    written: str = ""
    file: str = ""
    beside: str = ""
    is_new: bool = False

    def is_as(self, before: "State") -> bool:
        """Whether it stands as before, for the log."""
        return self.what == before.what and (
            self.written == before.written or (self.file == before.file and self.beside != before.beside)
        )


Look = dict[tuple[str, str, int], State]  # by table, what it is, and the partition


@dataclass(frozen=True)
class Column:
    """A column of the shop that the live views need, as the source has it; `generated`: '', `s` (stored), `v`."""

    table: str
    name: str
    kind: str
    generated: str


def look(connection: psycopg.Connection) -> Look:
    """How everything stands on which it depends that the log has every change."""
    rows = connection.execute(LOOK, _names()).fetchall()
    return {(name, what, part or 0): State(*state) for name, what, part, *state in rows}


def mark(look: Look) -> str:
    """A look in a few letters, which `fits` compares."""
    states = [(*place, state) for place, state in sorted(look.items())]
    columns = ("what", "written", "file", "beside")
    return " ".join(_letters([(place, getattr(state, name)) for *place, state in states]) for name in columns)


def fits(before: str, now: str) -> bool:
    """Whether all stands as it did at the mark `before`; no mark of another version does."""
    held, found = before.split(), now.split()
    if len(held) != 4:
        return False
    one, other = (State(what, written, file, beside) for what, written, file, beside in (held, found))
    return other.is_as(one)


def difference(before: Look, now: Look) -> str:
    """What is other than it was, in a few words; empty: nothing. A partition that came and had no row yet is none."""
    changed = {
        (name, what)
        for name, what, part in before.keys() | now.keys()
        if not _is_same(before.get((name, what, part)), now.get((name, what, part)))
    }
    if ("", "publication") in changed:
        return f"the publication {NAME} {'changed' if ('', 'publication', 0) in now else 'is gone'}"
    return ", ".join(f"{name}: other {what}" for name, what in sorted(changed))


def _is_same(before: State | None, now: State | None) -> bool:
    if before is None or now is None:
        return bool(now and now.is_new)
    return now.is_as(before)


def _letters(states: object) -> str:
    return hashlib.sha256(json.dumps(states).encode()).hexdigest()[:16]


def check(connection: psycopg.Connection) -> None:
    """See that the source's tables can be read from the log, given a publication of them.

    Raises:
        RainbowError: a table or column is missing, or is such that its changes cannot be told.
    """
    columns = _columns(connection)
    if missing := [name for name in TABLES if name not in {one.table for one in columns}]:
        raise RainbowError(
            f"The source lacks {', '.join(missing)}.", "`rainbow seed` or `rainbow load-olist` creates the shop."
        )
    found = {(one.table, one.name): one for one in columns}
    for name, table in TABLES.items():
        for column in NEEDED[name]:
            if (name, column) not in found:
                raise DataError(f"The source's table {name} has no column {column}.", "Restore it.")
        for column, kind in table.columns.items():
            if one := found.get((name, column)):
                _check_column(one, kind, connection.info.server_version)
    _check_parts(connection)
    _check_keys(connection)


def is_exact(connection: psycopg.Connection) -> bool:
    """Whether there is a publication of exactly the ten tables: all kinds of changes, whole rows, what is needed."""
    rows = connection.execute(
        "SELECT t.schemaname || '.' || t.tablename, t.tablename, t.rowfilter IS NULL AND p.pubinsert AND p.pubupdate "
        "AND p.pubdelete AND p.pubtruncate, t.attnames::text[] "
        "FROM pg_publication AS p JOIN pg_publication_tables AS t USING (pubname) WHERE p.pubname = %s",
        [NAME],
    ).fetchall()
    return {row[0] for row in rows} == {f"public.{name}" for name in TABLES} and all(
        whole and set(NEEDED[name]) <= set(columns) for _, name, whole, columns in rows
    )


def has_generated(connection: psycopg.Connection) -> bool:
    """Whether a column of the shop is generated: a publication of before PostgreSQL 18 cannot have those."""
    return connection.info.server_version >= GENERATED_SINCE and any(one.generated for one in _columns(connection))


def _names() -> dict[str, list[str]]:
    return {
        "tables": list(TABLES),
        "needed": [f"{name}.{column}" for name, columns in NEEDED.items() for column in columns],
    }


def _columns(connection: psycopg.Connection) -> list[Column]:
    rows = connection.execute(
        "SELECT c.relname, a.attname, format_type(a.atttypid, NULL), a.attgenerated::text FROM pg_class AS c "
        "JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s)",
        [list(TABLES)],
    ).fetchall()
    return [Column(*row) for row in rows]


def _check_column(column: Column, kind: str, version: int) -> None:
    name, readable = f"{column.table}.{column.name}", READABLE.get(kind.partition("(")[0])
    if readable and column.kind not in readable:
        raise DataError(
            f"The source's {name} is {column.kind}; the stream reads {', '.join(sorted(readable))}.",
            "Change the column's type.",
        )
    if column.generated and column.name in NEEDED[column.table]:
        if column.generated == "v":
            raise DataError(
                f"The source's {name} is a virtual generated column, and so never in the log.", "Make it STORED."
            )
        if version < GENERATED_SINCE:
            raise DataError(
                f"The source's {name} is a generated column, which PostgreSQL has in the log from version 18 on.",
                "Make it an ordinary column.",
            )


def _check_parts(connection: psycopg.Connection) -> None:
    """Every row of a table is in one whose changes are logged as the table's own."""
    rows = connection.execute(
        f"WITH {RELATIONS} SELECT root, name FROM parts WHERE relkind NOT IN ('r', 'p') OR relpersistence <> 'p' "
        "UNION ALL SELECT r.relname, i.inhrelid::regclass::text FROM roots AS r JOIN pg_inherits AS i "
        "ON i.inhparent = r.id WHERE r.relkind = 'r' "
        "UNION ALL SELECT relname, relname FROM roots WHERE relpersistence <> 'p'",
        _names(),
    ).fetchall()
    for root, part in rows:
        raise DataError(
            f"Rows of the source's {root} are in {part}, which is foreign, unlogged or inherits: not in its log.",
            "Make it an ordinary table or partition.",
        )


def _check_keys(connection: psycopg.Connection) -> None:
    """A change tells its row by the replica identity; without one, the shop's own changes would be refused."""
    rows = connection.execute(
        f"WITH {RELATIONS} SELECT h.root, h.name, h.relreplident::text, ARRAY("
        "SELECT a.attname::text FROM pg_index AS i "
        "JOIN pg_attribute AS a ON a.attrelid = h.id AND a.attnum = ANY(i.indkey) "
        "WHERE i.indrelid = h.id AND CASE h.relreplident WHEN 'd' THEN i.indisprimary "
        "WHEN 'i' THEN i.indisreplident ELSE false END) "
        "FROM (SELECT relname::text AS root, relname::text AS name, id, relreplident FROM roots "
        "UNION SELECT root, name, id, relreplident FROM parts) AS h",
        _names(),
    ).fetchall()
    for root, name, identity, columns in rows:
        key = TABLES[root].key
        if identity != "f" and set(columns) != set(key):
            raise DataError(
                f"The source's {name} has no primary key ({', '.join(key)}): "
                "once it is published, its changes would fail.",
                f"ALTER TABLE {name} ADD PRIMARY KEY ({', '.join(key)});"
                if identity == "d"
                else f"ALTER TABLE {name} REPLICA IDENTITY DEFAULT;",
            )
