"""Every driver: one file in this folder and one line here."""

from typing import Tuple, Type

from guest_hooks.driver import Driver

DRIVERS: Tuple[Type[Driver], ...] = ()
