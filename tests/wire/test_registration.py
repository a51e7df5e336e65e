"""What the plugin tells Velero, and its log, when it is asked for its actions."""

import json
from pathlib import Path
from typing import Any

import pytest

from stillpoint.registration import PEER
from stillpoint.wire.generated.velero import plugin_lister_pb2_grpc, shared_pb2
from tests.wire.executables import real_plugin
from tests.wire.running import SOON_S, running


def warnings(plugin: Path, *flags: str) -> list[dict[str, Any]]:
    """What the plugin has warned of when it was asked for its list and has ended."""
    with running(plugin, *flags) as started:
        lister = plugin_lister_pb2_grpc.PluginListerStub(started.channel)
        assert lister.ListPlugins(shared_pb2.Empty(), timeout=SOON_S).plugins
        started.process.terminate()
        started.end()
        lines = map(json.loads, started.errors.read().splitlines())
    return [line for line in lines if line["@level"] == "warn"]


@pytest.mark.parametrize("flag", ["--plugin-dir={}", "--plugin-dir {}"])
def test_the_plugin_that_it_takes_the_place_of_is_named(tmp_path: Path, flag: str) -> None:
    plugin = real_plugin(tmp_path / "plugins")
    peer = plugin.parent / "other" / PEER
    peer.parent.mkdir()
    peer.touch()
    [warning] = warnings(plugin, *flag.format(plugin.parent).split(), "--log-level=info")
    assert str(peer) in warning["@message"]
    assert "HINT: take `kubevirt` out of defaultPlugins" in warning["@message"]


def test_plugins_of_others_are_no_matter(tmp_path: Path) -> None:
    plugin = real_plugin(tmp_path / "plugins")
    (plugin.parent / "velero-plugin-for-aws").touch()
    assert warnings(plugin, f"--plugin-dir={plugin.parent}") == []


def test_a_folder_that_is_not_there_is_no_matter(tmp_path: Path) -> None:
    assert warnings(real_plugin(tmp_path / "plugins"), "--plugin-dir=/nonexistent") == []
