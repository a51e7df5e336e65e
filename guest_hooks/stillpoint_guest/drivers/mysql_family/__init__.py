"""MariaDB and MySQL: one server, one client, two ways to lock."""
