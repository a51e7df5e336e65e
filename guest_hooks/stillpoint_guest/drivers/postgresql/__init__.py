"""PostgreSQL: the driver, its client, and what a copy would not have."""
