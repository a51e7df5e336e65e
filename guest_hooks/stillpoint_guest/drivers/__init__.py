"""Every driver: one file in this folder and one line here."""

from typing import Tuple, Type

from stillpoint_guest.driver import Driver
from stillpoint_guest.drivers.etcd import Etcd
from stillpoint_guest.drivers.mariadb import MariaDB
from stillpoint_guest.drivers.mongodb import MongoDB
from stillpoint_guest.drivers.mysql import MySQL
from stillpoint_guest.drivers.postgresql import PostgreSQL
from stillpoint_guest.drivers.redis import Redis
from stillpoint_guest.drivers.script import Script
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
