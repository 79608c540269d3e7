-- Chance without a generator's state: a throw depends on the seed, the name of its stream and a key, and on nothing
-- else; so rows are the same on any machine, with any number of threads, in any order. Integers only: floating point
-- differs between machines in the last digit.

-- A whole number from 0 to sides - 1. The outer hash makes streams of the same key independent.
CREATE MACRO dice(stream, key, sides) AS
    (hash(xor(hash(key::BIGINT), hash(stream || '/' || getvariable('seed')))) % sides::UBIGINT)::BIGINT;

CREATE MACRO pick(stream, key, words) AS words[1 + dice(stream, key, len(words))];

-- A moment of the seeded days.
CREATE MACRO moment(stream, key) AS
    getvariable('start') + to_microseconds(dice(stream, key, getvariable('days') * 86400000000));

-- A part of the time from one moment to another: thousandths from 0 to 999.
CREATE MACRO between_times(stream, key, early, late) AS
    early + to_microseconds((epoch_us(late) - epoch_us(early)) // 1000 * dice(stream, key, 1000));

-- Whole cents as money.
CREATE MACRO money(cents) AS (cents * 0.01)::DECIMAL(18, 2);

-- Zipf's law as 4,096 equally likely slots: a slot stands for `width` neighbouring ranks from `low` (ranks from 0).
-- A rank's weight is 1 / (rank + flat); `flat` keeps the first few from taking all.
CREATE MACRO zipf(ranks, flat) AS TABLE
    WITH weighted AS (
        SELECT rank, 1000000000000 // (rank + flat) AS weight FROM range(ranks) AS r (rank)
    ),
    reached AS (
        SELECT rank, sum(weight) OVER (ORDER BY rank) - weight AS reach FROM weighted
    ),
    slots AS (
        SELECT slot, (slot * (SELECT sum(weight) FROM weighted) // 4096) AS reach FROM range(4097) AS s (slot)
    ),
    found AS (
        SELECT slots.slot, reached.rank AS low FROM slots ASOF JOIN reached ON slots.reach >= reached.reach
    )
    SELECT slot, low, greatest(1, coalesce(lead(low) OVER (ORDER BY slot), ranks) - low) AS width
    FROM found
    QUALIFY slot < 4096;
