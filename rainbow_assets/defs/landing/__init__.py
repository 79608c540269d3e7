"""source -> landing: daily Parquet files, append-only."""
