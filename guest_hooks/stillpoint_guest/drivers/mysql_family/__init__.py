"""MariaDB and MySQL: the same protocol and client, two ways to lock."""
