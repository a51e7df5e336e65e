"""Values that Kubernetes, Velero or a container engine would refuse: the usage names the option."""

import pytest
import yaml

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus

IMAGE = "registry.example.com/stillpoint:1.0"
PLACE = ("--provider", "s3", "--bucket", "b", "--prefix", "p", "--region", "any",
         "--s3-url", "https://store.example.com:9000", "--image", IMAGE)  # fmt: skip
MANIFESTS = {
    "dpa": ("dpa", *PLACE),
    "velero": ("velero", *PLACE),
    "policy": ("policy",),
    "schedule": ("schedule", "--take", "shop"),
    "rbac": ("rbac",),
    "job": ("verify", "--image", IMAGE, "--backup", "nightly"),
    "cron job": ("verify", "--image", IMAGE, "--schedule", "nightly"),
}
NAMES = ("", "Velero", "a_b", "-a", "a-", "a b", "a/b", "ä", "a\n", "a" * 254)
NAMESPACES = (*NAMES, "a.b", "a" * 64)
IMAGES = (
    "",
    "Stillpoint",
    "a b",
    "a:b:c",
    "a:",
    ":1",
    "a@sha256:1",
    "https://a/b",
    "a//b",
    "a/",
    " a",
)
LABELS = ("a", "=b", "a=b c", "a b=c", "/a=b", "A/b/c=d", f"a={'b' * 64}", "a=-b", "A.example_/a=")

REFUSED = [
    *((manifest, "--namespace", text) for manifest in MANIFESTS for text in NAMESPACES),
    *((manifest, "--name", text) for manifest in ("dpa", "policy", "schedule", "job", "cron job")
      for text in NAMES),
    ("schedule", "--name", "a" * 64),
    ("job", "--name", "a" * 64),
    ("cron job", "--name", "a" * 53),
    *(("rbac", "--account", text) for text in NAMES),
    *(("job", "--backup", text) for text in NAMES),
    *(("cron job", "--schedule", text) for text in NAMES),
    *((manifest, option, text) for manifest in ("dpa", "velero") for option, texts in (
        ("--image", IMAGES),
        ("--secret", NAMES[1:]),
        ("--key", ("", ".", "..", "a b", "a/b", "ä", "a" * 254)),
        ("--node-selector", LABELS),
        ("--bucket", ("", "/", "backups/prod")),
        ("--s3-url", ("store.example.com", "ftp://store", "https://", "s3://backups", "http://[")),
    ) for text in texts),
    *(("velero", option, text) for option in ("--velero-image", "--provider-image")
      for text in IMAGES[1:]),
    *((manifest, "--image", text) for manifest in ("job", "cron job")
      for text in IMAGES[1:]),
    *(("policy", "--driver", text) for text in ("", "*", "csi.*", "a b", "a_b", "a" * 64)),
    *(("schedule", "--take", text)
      for text in (*NAMESPACES, "**", "a-[b", "a]", "[]", "{a,b}", "!a", "*_")),
    ("schedule", "--take", "*"),
    ("schedule", "--policy", "My_Policy"),
    *(("schedule", "--ttl", text) for text in ("", "30d", "1w", "720", "-1h", "1 h", "nonsense")),
    *((manifest, "--cron", text) for manifest in ("schedule", "cron job")
      for text in ("", "nonsense", "0 1 * *", "0 1 * * 7", "@every day")),
    ("cron job", "--cron", "CRON_TZ=Europe/Berlin 0 6 * * *"),
]  # fmt: skip


@pytest.mark.parametrize(("manifest", "option", "text"), REFUSED)
def test_a_value_that_is_refused_later_ends_with_the_usage(
    manifest: str, option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["render", *MANIFESTS[manifest], f"{option}={text}", "--check"])
    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (ExitStatus.WRONG_USAGE, "")
    said = printed.err.splitlines()[-1]
    assert "error: argument" in said
    assert option in said


TAKEN = [
    *(("schedule", "--take", text) for text in ("a" * 63, "0", "shop-*", "team-?", "[a-f]*")),
    *(("policy", "--name", text) for text in ("a", "a.b-c", "a" * 253)),
    ("schedule", "--name", "a" * 63),
    ("schedule", "--policy", ""),
    ("schedule", "--cron", "CRON_TZ=Europe/Berlin 0 1 * * *"),
    *(("schedule", "--ttl", text) for text in ("720h", "1h30m", "0")),
    *(("dpa", "--image", text) for text in (
        "stillpoint", "localhost:5000/a__b/c-d:1.0_X", "A.example/b",
        f"[::1]:5000/a@sha256:{'0' * 64}", f"a:1@sha256:{'f' * 64}",
    )),
    *(("policy", "--driver", text) for text in ("csi.example.com", "Disk.CSI.example.com")),
    *(("dpa", "--s3-url", text) for text in ("http://store:9000", "https://[::1]:9000/path")),
    *(("dpa", "--key", text) for text in ("cloud", "..a", "A_b.c-d")),
    ("dpa", "--bucket", "backups/"),
    ("cron job", "--name", "a" * 52),
    ("job", "--name", "a" * 63),
]  # fmt: skip


@pytest.mark.parametrize(("manifest", "option", "text"), TAKEN)
def test_what_is_accepted_later_is_written(
    manifest: str, option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["render", *MANIFESTS[manifest], f"{option}={text}"]) == ExitStatus.GOOD
    assert text in capsys.readouterr().out


@pytest.mark.parametrize("text", ["a=", "node-role.example.com/a_b=A.b-c"])
def test_a_label_of_nodes_is_written(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", *MANIFESTS["dpa"], "--node-selector", text]) == ExitStatus.GOOD
    [made] = yaml.safe_load_all(capsys.readouterr().out)
    [found] = made["spec"]["configuration"]["nodeAgent"]["podConfig"]["nodeSelector"].items()
    assert "=".join(found) == text


def test_options_of_a_verification_that_contradict_each_other_are_refused_before_the_first_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for options in (["--clean-up"], ["--seed", "1"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(["render", *MANIFESTS["job"], "--", *options])
        assert ended.value.code == ExitStatus.WRONG_USAGE
        assert "stillpoint verify: error: " in capsys.readouterr().err
