"""Lines of Velero's log about hooks, as Velero v1.18.3 wrote them."""

import json
from collections.abc import Mapping

FAILED = "command terminated with exit code 1"


def text(**fields: str) -> bytes:
    """As logrus writes them; it quotes what has more than letters, digits and some signs."""
    words = (f"{key.replace('__', '.')}={_quoted(value)}" for key, value in fields.items())
    return " ".join(words).encode() + b"\n"


def as_json(line: Mapping[str, object]) -> bytes:
    return json.dumps(line).encode() + b"\n"


def _quoted(value: str) -> str:
    is_plain = value and all(one.isalnum() or one in "-._/@^+" for one in value)
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def running(name: str, namespace: str = "shop", phase: str = "pre", **more: str) -> bytes:
    return said("running exec hook", name, namespace, phase, **more)


def output(name: str, of: str = "", namespace: str = "shop", phase: str = "pre") -> bytes:
    errors = said("stderr: ", name, namespace, phase)
    return said(f"stdout: {of}", name, namespace, phase) + errors


def said(msg: str, name: str, namespace: str = "shop", phase: str = "pre", **more: str) -> bytes:
    verb = "freeze" if phase == "pre" else "unfreeze"
    command = f"[/usr/bin/virt-freezer --{verb} --name {name} --namespace {namespace}]"
    return text(
        time="2026-11-27T06:09:10Z", level="info", msg=msg, backup="velero/nightly",
        hookCommand=command, hookContainer="compute", hookName="<from-annotation>",
        hookOnError="Fail", hookPhase=phase, hookSource="annotation", hookTimeout="{1m0s}",
        hookType="exec", logSource="pkg/podexec/pod_command_executor.go:180", **more,
    )  # fmt: skip


def failed(error: str = FAILED, phase: str = "pre", **more: str) -> bytes:
    return text(
        time="2026-11-27T06:09:10Z", level="error", msg="Error executing hook",
        backup="velero/nightly", error=error, hookPhase=phase, hookSource="annotation",
        hookType="exec", logSource="internal/hook/item_hook_handler.go:239", **more,
    )  # fmt: skip


def hook(name: str, error: str = "", of: str = "", phase: str = "pre") -> bytes:
    """All lines of a hook that ends; with an error it fails."""
    end = failed(error, phase) if error else b""
    return running(name, phase=phase) + output(name, of, phase=phase) + end
