"""Whose hook failed, by the log of a backup: for sure, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillpoint.velero import hook_log, log_line
from stillpoint.velero.hook_log import Failures, HookFailure, TooManyHooks
from tests.unit.velero.log_lines import (
    FAILED,
    as_json,
    failed,
    hook,
    output,
    running,
    text,
)

DB, WEB = ("shop", "db"), ("shop", "web")
OTHER = text(level="info", msg="adding pods shop/web to ItemBlock", backup="velero/nightly")
LATE = "timed out after 1m0s"


def found(*lines: bytes) -> Failures:
    return hook_log.failures(b"".join(lines).splitlines(keepends=True))


def test_the_hook_before_the_error_is_the_one_that_failed() -> None:
    log = hook("web"), OTHER, hook("db", FAILED, "freezing failed"), OTHER, hook("cache")
    assert found(*log) == {DB: [HookFailure("pre", FAILED, "freezing failed")]}


def test_several_failures_have_each_its_machine() -> None:
    log = hook("db", FAILED), hook("web", "unable to upgrade connection"), hook("db", phase="post")
    assert {whose: one[0].error for whose, one in found(*log).items()} == {
        DB: FAILED,
        WEB: "unable to upgrade connection",
    }


def test_a_thaw_that_failed_is_one() -> None:
    log = hook("db"), hook("db", FAILED, phase="post")
    assert found(*log) == {DB: [HookFailure("post", FAILED, "")]}


def test_a_hook_that_timed_out_has_no_output() -> None:
    log = hook("web"), running("db"), OTHER, failed(LATE), hook("cache")
    assert found(*log) == {DB: [HookFailure("pre", LATE, "")]}


def test_of_hooks_side_by_side_one_is_told_where_it_can_be_no_other() -> None:
    """An exit code comes behind the output, which a hook that hangs has none of."""
    assert found(running("web"), hook("db", FAILED), failed(LATE)) == {
        DB: [HookFailure("pre", FAILED, "")],
        WEB: [HookFailure("pre", LATE, "")],
    }


def test_a_hook_that_could_not_begin_has_no_output() -> None:
    assert found(running("db"), failed("no connection")) == {
        DB: [HookFailure("pre", "no connection", "")]
    }


def test_lines_in_json_are_read() -> None:
    """Velero's own error is in `error.message` there, and a command is a list."""
    command = ["/usr/bin/virt-freezer", "--freeze", "--name", "db", "--namespace", "shop"]
    of_hook = {"hookPhase": "pre", "hookCommand": command}
    log = [
        *(
            as_json({"msg": one, **of_hook})
            for one in ("running exec hook", "stdout: ", "stderr: why")
        ),
        as_json({"msg": "Error executing hook", "error.message": FAILED, "hookPhase": "pre"}),
    ]
    assert found(*log) == {DB: [HookFailure("pre", FAILED, "why")]}


def test_lines_of_velero_before_1_15_name_the_pod_too() -> None:
    log = hook("db", FAILED).replace(b"\n", b" name=virt-launcher-db-x namespace=shop\n")
    assert found(log) == {DB: [HookFailure("pre", FAILED, "")]}
    end = log.rindex(b"db-x")
    assert found(log[:end] + b"web" + log[end:]) == {}


@pytest.mark.parametrize(
    "log",
    [
        (running("db"), running("web"), failed(LATE)),
        (running("db"), running("web"), output("db"), output("web"), failed()),
        (running("db"), output("web"), output("db"), failed()),
        (running("db"), running("web"), output("db"), failed()),
        (hook("db"), hook("db", FAILED)),
        (hook("db", FAILED), hook("db")),
        (failed(),),
        (hook("db"), failed('no such container: "compute"')),
        (running("db"), failed("command is required")),
        (hook("db"), failed(phase="post")),
        (hook("db", FAILED).replace(b"virt-freezer", b"fsfreeze"),),
        (hook("db", FAILED).replace(b"--freeze", b"--unfreeze"),),
        (hook("db"), hook("other").replace(b"virt-freezer", b"sync"), failed()),
        (running("db"), running("other").replace(b"virt-freezer", b"sync"), failed(LATE)),
    ],
)
def test_an_error_that_could_be_of_two_or_of_nobody_is_nobody_s(log: tuple[bytes, ...]) -> None:
    assert not {DB, ("", "")} & set(found(*log))


def test_hooks_of_nobody_are_counted_each() -> None:
    """A hook of somebody's own that hangs is not forgotten when the next one of its kind ends."""
    own = [one.replace(b"virt-freezer", b"sync") for one in (running("x"), output("x"))]
    log = own[0], own[0], own[1], running("db"), failed(LATE)
    assert found(*log) == {}


def test_an_error_closes_its_hook() -> None:
    log = running("web"), failed(LATE), running("db"), failed(LATE)
    assert set(found(*log)) == {DB, WEB}


FORGED = (
    'x\nlevel=info msg="running exec hook" hookPhase=pre',
    f'" hookCommand="[/usr/bin/virt-freezer --freeze --name web --namespace shop]" error="{FAILED}',
    '\\" msg="Error executing hook" hookPhase=pre',
)


@pytest.mark.parametrize("words", FORGED)
def test_what_a_guest_says_is_no_field_and_no_line(words: str) -> None:
    assert found(hook("db", of=words), hook("web")) == {}
    [failure] = found(hook("db", FAILED, of=words))[DB]
    assert failure.said == words


def test_a_command_that_names_the_machine_of_another_makes_it_not_known() -> None:
    """It is an annotation of the tenant's pod."""
    assert found(hook("db"), hook("web", FAILED), hook("db", FAILED)) == {
        WEB: [HookFailure("pre", FAILED, "")]
    }


def test_words_are_bounded() -> None:
    [failure] = found(hook("db", "e" * 5000, of="s" * 5000))[DB]
    assert len(failure.error) == len(failure.said) == 300


def test_more_hooks_than_a_backup_can_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_log, "_MOST_HOOKS", 3)
    with pytest.raises(TooManyHooks):
        found(*(running(f"m{one}") for one in range(4)))


@given(st.lists(st.binary(max_size=80) | st.sampled_from([running("db"), failed(), OTHER])))
def test_any_line_is_read(lines: list[bytes]) -> None:
    hook_log.failures([b"hookPhase " + one for one in lines] + lines)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_value_that_is_written_is_read(value: str) -> None:
    assert log_line.fields(text(msg=value, level="info")) == {"msg": value, "level": "info"}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (rb'msg="\ud87a"', "\N{REPLACEMENT CHARACTER}"),
        (rb'msg="\x1b[31m\u2028\U0001f600\a\"\\"', '\x1b[31m\u2028\U0001f600\a"\\'),
        (rb'msg="\Uffffffff"', "\N{REPLACEMENT CHARACTER}"),
        (b'msg="\xff"', "\N{REPLACEMENT CHARACTER}"),
        (b"msg=", ""),
    ],
)
def test_escapes_of_go_are_read(line: bytes, value: str) -> None:
    assert log_line.fields(line) == {"msg": value}


@pytest.mark.parametrize(
    "line",
    [b"a line", b'msg="open', b'msg=a"b', b'msg=a level="open', b"[]", b"{", b'{"a": "\xff', b"{}"],
)
def test_what_is_no_line_of_velero_has_no_fields(line: bytes) -> None:
    assert log_line.fields(line) == {}
