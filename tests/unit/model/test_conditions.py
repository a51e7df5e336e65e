"""Conditions of a restore: each annotation, and what is refused."""

from pathlib import Path

import pytest

from stillpoint.model import conditions
from stillpoint.model.choice import Choice
from stillpoint.model.conditions import Conditions
from stillpoint.model.errors import Refusal
from stillpoint.model.item import Item


def restore(annotations: Item | None = None, labels: Item | None = None) -> Item:
    metadata = {"name": "r", "namespace": "velero"}
    return {
        "kind": "Restore",
        "metadata": metadata | {"annotations": annotations or {}, "labels": labels or {}},
    }


def parsed(key: str, value: str) -> Conditions:
    return Conditions.parse(restore({f"stillpoint.dev/{key}": value}))


def refused(annotations: Item, labels: Item | None = None) -> str:
    with pytest.raises(Refusal) as raised:
        Conditions.parse(restore(annotations, labels))
    return str(raised.value)


def test_without_any_condition_machines_come_back_as_they_were() -> None:
    conditions = Conditions.parse({})
    assert conditions.run_strategy == Choice("keep")
    assert conditions.mac_addresses == Choice("auto")
    assert conditions.firmware_uuid == Choice("auto")
    assert not conditions.rename
    assert conditions.only == ()
    assert conditions.wait == Choice("none")
    assert conditions.wait_timeout_s == float("inf")
    assert conditions.start_wave_size == 0
    assert conditions.target_readiness_policy == Choice("WaitGracePeriod")
    assert not conditions.is_replayed


def test_one_word_is_for_all_and_pairs_are_for_the_machines_that_they_name() -> None:
    strategy = parsed("run-strategy", "Halted, db=Always shop/web=keep").run_strategy
    assert strategy.of("shop", "db") == "Always"
    assert strategy.of("other", "db") == "Always"
    assert strategy.of("shop", "web") == "keep"
    assert strategy.of("other", "web") == "Halted"


def test_a_pair_with_a_namespace_goes_before_one_without() -> None:
    addresses = parsed("mac-addresses", "db=clear,shop/db=keep").mac_addresses
    assert addresses.of("shop", "db") == "keep"
    assert addresses.of("other", "db") == "clear"
    assert addresses.of("shop", "web") == "auto"


def test_machines_are_renamed_by_pairs_and_by_a_prefix() -> None:
    rename = parsed("rename", "copy- db=db2, shop/web=www").rename
    assert rename.of("shop", "db") == "db2"
    assert rename.of("shop", "web") == "www"
    assert rename.of("other", "web") == "copy-web"
    assert parsed("rename", "db=db2").rename.of("shop", "web") == "web"


def test_durations_and_numbers_are_read() -> None:
    assert parsed("wait-timeout", "1h30m5s").wait_timeout_s == 5405
    assert parsed("wait-timeout", "90s").wait_timeout_s == 90
    assert parsed("start-wave-size", "5").start_wave_size == 5
    assert parsed("only", "db shop/web,db").only == ("db", "shop/web")


def test_the_labels_of_the_peer_ask_for_the_same() -> None:
    labels = {
        "velero.kubevirt.io/restore-run-strategy": "Halted",
        "velero.kubevirt.io/clear-mac-address": "",
        "velero.kubevirt.io/generate-new-firmware-uuid": "true",
    }
    conditions = Conditions.parse(restore(labels=labels))
    assert conditions.run_strategy == Choice("Halted")
    assert conditions.mac_addresses == Choice("clear")
    assert conditions.firmware_uuid == Choice("new")
    assert conditions.is_serial_kept


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("run-strategie", "keep", "no such condition; HINT: did you mean run-strategy? of "),
        ("zzz", "", "no such condition; HINT: of stillpoint.dev/ there are run-strategy, mac-addr"),
        ("run-strategy", "always", "with the value 'always'; HINT: did you mean Always?"),
        ("run-strategy", "Sometimes", "set it to one of keep, Always, Halted, Manual, Once, Rerun"),
        ("run-strategy", "Halted Always", "Halted and Always are both meant for every machine"),
        ("run-strategy", "db=Always, db=Halted", "db is given Always and Halted; HINT: keep one"),
        ("run-strategy", "db=", "'db=' is no pair; HINT: write it as NAME=VALUE"),
        ("mac-addresses", "new", "set it to one of auto, keep, clear"),
        ("firmware-uuid", "clear", "set it to one of auto, keep, new"),
        ("wait", "disk", "did you mean disks? set it to one of none, disks, running, agent"),
        ("wait-timeout", "5", "'5' is no duration; HINT: write 90s, 30m or 1h30m"),
        ("wait-timeout", "", "'' is no duration"),
        ("start-wave-size", "0", "'0' is no number of machines; HINT: write 1 or more"),
        ("start-wave-size", "-1", "'-1' is no number of machines"),
        ("target-readiness-policy", "Wait", "set it to one of WaitGracePeriod, FailImmediate"),
        ("only", "", "it names no virtual machine"),
        ("only", "db=web", "db=web is no name"),
        ("rename", "db=Db2", "'Db2' can be no name of a virtual machine; HINT: lower case"),
        ("rename", f"db={'x' * 64}", "at most 63 characters"),
        ("rename", "db=x, web=x", "db and web would both become x"),
        ("rename", "shop/db=x, web=x", "shop/db and web would both become x"),
        ("rename", "a- b-", "there are 2 prefixes; HINT: keep one"),
        ("rename", "Copy-", "no name can begin with 'Copy-'"),
        ("replay", "maybe", "set it to one of true, false"),
    ],
)  # fmt: skip
def test_what_has_no_meaning_is_refused(key: str, value: str, why: str) -> None:
    error = refused({f"stillpoint.dev/{key}": value})
    assert f"Restore velero/r: cannot obey its stillpoint.dev/{key}: " in error
    assert why in error


def test_one_new_name_can_be_of_machines_in_different_namespaces() -> None:
    assert parsed("rename", "shop/db=x, test/db=x").rename.of("test", "db") == "x"


def test_a_condition_that_is_a_label_is_refused() -> None:
    assert "it is a label; HINT: set it as an annotation" in refused(
        {}, {"stillpoint.dev/only": "x"}
    )


def test_a_condition_and_a_label_of_the_peer_for_the_same_are_refused() -> None:
    error = refused(
        {"stillpoint.dev/mac-addresses": "keep"}, {"velero.kubevirt.io/clear-mac-address": ""}
    )
    assert "the label velero.kubevirt.io/clear-mac-address asks for the same" in error


def test_annotations_of_others_are_theirs() -> None:
    Conditions.parse(restore({"example.com/rename": "x", "stillpointxdev/only": "y"}))


def test_no_condition_is_forgotten() -> None:
    names = {one for one in vars(conditions).values() if isinstance(one, str)}
    mine = {one for one in names if one.startswith(conditions.PREFIX)} - {conditions.PREFIX}
    assert mine == set(conditions.KEYS)
    page = (Path(__file__).parents[3] / "docs" / "restore" / "index.md").read_text()
    for key in conditions.KEYS:
        assert f"{key}`" in page or f"`{key.removeprefix(conditions.PREFIX)}`" in page
