"""Every driver: one file in this folder and one line here."""

from typing import Tuple, Type

from guest_hooks.driver import Driver
from guest_hooks.drivers.etcd import Etcd
from guest_hooks.drivers.mariadb import MariaDB
from guest_hooks.drivers.mongodb import MongoDB
from guest_hooks.drivers.mysql import MySQL
from guest_hooks.drivers.postgresql import PostgreSQL
from guest_hooks.drivers.redis import Redis
from guest_hooks.drivers.script import Script
from guest_hooks.drivers.systemd import Systemd

DRIVERS: Tuple[Type[Driver], ...] = (
    Etcd,
    MariaDB,
    MongoDB,
    MySQL,
    PostgreSQL,
    Redis,
    Script,
    Systemd,
)
