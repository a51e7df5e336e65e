"""Item blocks, as item-block actions tell of them: an object is of the first that named it."""

from stillpoint.model.reference import Reference
from stillpoint.velero.item_blocks import ItemBlocks


def named(name: str) -> Reference:
    return Reference("", "things", "shop", name)


def test_what_an_action_names_is_in_the_block_of_its_item() -> None:
    blocks = ItemBlocks()
    blocks.add(named("pod"), [named("guest"), named("disk")])
    blocks.add(named("guest"), [named("more")])
    assert len({blocks.of(named(each)) for each in ("pod", "guest", "disk", "more")}) == 1


def test_what_nothing_has_named_begins_a_block() -> None:
    blocks = ItemBlocks()
    blocks.add(named("a"), [])
    blocks.add(named("b"), [])
    assert None not in (blocks.of(named("a")), blocks.of(named("b")))
    assert blocks.of(named("a")) != blocks.of(named("b"))
    assert blocks.of(named("c")) is None


def test_the_first_block_that_names_an_object_keeps_it() -> None:
    blocks = ItemBlocks()
    blocks.add(named("a"), [named("disk")])
    blocks.add(named("b"), [named("disk")])
    assert blocks.of(named("disk")) == blocks.of(named("a")) != blocks.of(named("b"))


def test_a_pod_is_in_the_block_of_a_claim_that_velero_found_it_by() -> None:
    blocks = ItemBlocks()
    blocks.add(named("a"), [named("shared")])
    blocks.add(named("b"), [named("own")], joined_by=[named("own"), named("shared")])
    assert blocks.of(named("b")) == blocks.of(named("own")) == blocks.of(named("a"))
