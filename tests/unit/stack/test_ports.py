"""Free ports, and the error for one that is taken."""

import os
import socket

import pytest

from rainbow_assets.errors import StackError
from rainbow_assets.stack.ports import LOOPBACK, free_ports, is_open, require_free


def test_free_ports_are_different_and_free():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
        assert not is_open(port)
        require_free(port, "RAINBOW_X")


def test_a_port_in_use_names_port_holder_and_setting():
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        assert is_open(port)
        with pytest.raises(StackError) as caught:
            require_free(port, "RAINBOW_PG_PORT")
    assert f"Port {port} (RAINBOW_PG_PORT) is in use by" in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)
    require_free(port, "RAINBOW_PG_PORT")


def test_a_port_that_this_user_may_not_have_is_no_traceback():
    with socket.create_server(("0.0.0.0", 0)) as server, pytest.raises(StackError, match="in use"):  # noqa: S104
        require_free(server.getsockname()[1], "RAINBOW_S3_PORT")
