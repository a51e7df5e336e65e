"""Ports that are given for servers stay free for them."""

import errno
import socket

import pytest

from tests.cluster.processes import free_ports


def test_a_given_port_is_for_who_listens_on_it_again_and_again() -> None:
    (port,) = free_ports(1)
    for _ in range(2):
        with (
            socket.create_server(("127.0.0.1", port)) as server,
            socket.create_connection(("127.0.0.1", port)) as client,
        ):
            server.accept()[0].close()
            assert client.recv(1) == b""


def test_a_given_port_is_given_to_nobody_else() -> None:
    ports = free_ports(20)
    assert len({*ports, *free_ports(20)}) == 40
    for port in ports:
        with socket.socket() as other, pytest.raises(OSError, match="in use") as caught:
            other.bind(("127.0.0.1", port))
        assert caught.value.errno == errno.EADDRINUSE


def test_nobody_answers_at_a_given_port() -> None:
    (port,) = free_ports(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
