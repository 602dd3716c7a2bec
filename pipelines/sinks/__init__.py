"""Sinks for the rows: Parquet and DuckDB on one machine, BigQuery and Pub/Sub in the cloud."""
