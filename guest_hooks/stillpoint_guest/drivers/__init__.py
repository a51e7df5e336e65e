"""Every driver: a file in this folder and a line here."""

from typing import Tuple, Type

from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers.etcd import Etcd
from stillpoint_guest.drivers.mongodb import MongoDB
from stillpoint_guest.drivers.mysql_family.mariadb import MariaDB
from stillpoint_guest.drivers.mysql_family.mysql import MySQL
from stillpoint_guest.drivers.postgresql.driver import PostgreSQL
from stillpoint_guest.drivers.redis.driver import Redis
from stillpoint_guest.drivers.script.driver import Script
from stillpoint_guest.drivers.systemd import Systemd

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
