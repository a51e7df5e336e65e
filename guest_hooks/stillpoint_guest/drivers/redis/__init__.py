"""Redis, Valkey and KeyDB: the driver, its protocol and its INFO."""
