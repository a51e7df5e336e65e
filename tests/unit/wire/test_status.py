"""Errors as Velero receives them."""

from base64 import b64encode
from urllib.parse import quote

import grpc
import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as some

from stillpoint.model.errors import Refusal
from stillpoint.wire.generated.velero import shared_pb2
from stillpoint.wire.status import status_of

DETAILS = "grpc-status-details-bin"
TEXTS = some.text(some.characters())  # lone surrogates included


def raised(error: BaseException) -> BaseException:
    try:
        _raise_inside(error)
    except BaseException as caught:  # noqa: BLE001 - SystemExit is among them
        return caught
    raise AssertionError("unreachable")


def _raise_inside(error: BaseException) -> None:
    raise error


def sent(
    error: BaseException, subject: str = "VirtualMachine shop/db"
) -> tuple[Status, shared_pb2.Stack]:
    status = status_of(raised(error), "stillpoint.dev/x", subject)
    message, stack = Status(), shared_pb2.Stack()
    message.ParseFromString(dict(status.trailing_metadata)[DETAILS])
    assert (message.code, message.message) == (status.code.value[0], status.details)
    assert message.details[0].Unpack(stack)
    return message, stack


def test_the_innermost_frame_comes_first() -> None:
    _, stack = sent(ValueError("x"))
    assert [frame.function for frame in stack.frames] == ["_raise_inside", "raised"]
    assert stack.frames[0].file == __file__
    assert stack.frames[0].line > 0


def test_an_error_of_ours_is_its_own_message() -> None:
    refusal = Refusal("VirtualMachine shop/db", "cannot freeze", "no agent", "install one")
    message, _ = sent(refusal)
    assert message.code == grpc.StatusCode.UNKNOWN.value[0]
    assert message.message == "VirtualMachine shop/db: cannot freeze: no agent; HINT: install one"


def test_an_error_about_another_object_names_the_item_too() -> None:
    message, _ = sent(Refusal("Pod shop/x", "cannot read it", "it is gone"))
    assert message.message == "VirtualMachine shop/db: Pod shop/x: cannot read it: it is gone"


@pytest.mark.parametrize("error", [KeyError("spec"), SystemExit(3), KeyboardInterrupt()])
def test_a_fault_of_ours_says_so_and_names_action_and_item(error: BaseException) -> None:
    message, _ = sent(error)
    fault = "VirtualMachine shop/db: a fault inside stillpoint (stillpoint.dev/x): "
    assert message.code == grpc.StatusCode.ABORTED.value[0]
    assert message.message.startswith(f"{fault}{type(error).__name__}: ")


@given(TEXTS, TEXTS)
def test_any_text_can_be_sent(message: str, subject: str) -> None:
    sent(ValueError(message), subject)


@pytest.mark.parametrize("error", [ValueError("🐘" * 1_000_000), RecursionError("x" * 9_000)])
def test_the_trailers_stay_below_what_grpc_s_own_client_takes(error: Exception) -> None:
    deep = error
    for _ in range(100):
        deep = raised(deep)  # type: ignore[assignment]
    status = status_of(deep, "stillpoint.dev/x", "VirtualMachine shop/db")
    trailers = dict(status.trailing_metadata)
    message, stack = Status(), shared_pb2.Stack()
    details = trailers[DETAILS]
    assert isinstance(details, bytes)
    message.ParseFromString(details)
    assert message.details[0].Unpack(stack)
    assert 5 < len(stack.frames) <= 20
    sent_bytes = len(quote(status.details)) + len(b64encode(details))
    assert sent_bytes < 7_500
