"""What `make image` has built around the payload."""

import json
import re
import subprocess

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.payload.built import ROOT, executable, image

LOCKED = re.findall(
    r"^([a-z][a-z0-9-]*)==(\S+)",
    (ROOT / "packaging" / "requirements.lock").read_text(),
    re.MULTILINE,
)


def bill() -> dict[str, dict[str, str]]:
    content = json.loads((image() / "stillpoint.cdx.json").read_text())
    return {component["name"]: component for component in content["components"]}


def test_the_bill_of_materials_is_cyclonedx() -> None:
    text = (image() / "stillpoint.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_bill_of_materials_names_what_is_locked_and_what_came_from_the_system() -> None:
    components = bill()
    assert len(LOCKED) > 20
    for name, version in LOCKED:
        assert components[name]["version"] == version
    assert {"cpython", "libstdc++6", "openssl", "zlib"} <= components.keys()


def test_the_bill_of_materials_names_the_openssl_that_is_bundled() -> None:
    told = subprocess.check_output([executable(), "version"], text=True)
    version = bill()["openssl"]["version"].partition("-")[0]
    assert version.startswith("3.")
    assert f"OpenSSL {version} " in told


def test_every_component_has_the_text_of_its_licence() -> None:
    for name in (*bill(), "stillpoint"):
        texts = list((image() / "licenses" / name).iterdir())
        assert texts, name
        assert all(text.stat().st_size for text in texts)


def test_the_locks_agree() -> None:
    whole = (ROOT / "requirements.lock").read_text()
    assert [
        f"{name}=={version}" for name, version in LOCKED if f"{name}=={version} " not in whole
    ] == []
    for name in ("requirements.lock", "packaging/requirements.lock"):
        text = (ROOT / name).read_text()
        requirements = re.findall(r"^[a-z].*(?:\n .*)*", text, re.MULTILINE)
        assert all("--hash=sha256:" in requirement for requirement in requirements)
