"""What a guest finds at its first boot, on the disks that KubeVirt makes for docs/guest."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

EXAMPLE = Path(__file__).parents[2] / "docs" / "guest" / "virtual-machine.yaml"
SEED_LABEL = "cidata"  # of cloud-init's NoCloud
OF_THE_IMAGE = b"""\
#cloud-config
locale: false
cloud_config_modules: [runcmd]
cloud_final_modules: [package-update-upgrade-install, scripts-user, final-message]
"""
"""What a cloud's image brings along: no locales here, and what the example asks for, no more."""


def volumes() -> dict[str, dict[str, Any]]:
    """The volumes of the example by name."""
    machine = yaml.safe_load(EXAMPLE.read_text())
    return {each["name"]: each for each in machine["spec"]["template"]["spec"]["volumes"]}


def media(folder: Path, package: Path) -> list[Path]:
    """Images of the example's disks that are made of no claim, the package in its ConfigMap."""
    told = volumes()
    seed = {
        "meta-data": b"instance-id: db.shop\nlocal-hostname: db\n",
        "vendor-data": OF_THE_IMAGE,
        "user-data": told["cloud-init"]["cloudInitNoCloud"]["userData"].encode(),
    }
    kept = {"stillpoint-guest.deb": package.read_bytes()}
    return [
        image(folder, SEED_LABEL, seed),
        image(folder, told["package"]["configMap"]["volumeLabel"], kept),
    ]


def image(folder: Path, label: str, files: Mapping[str, bytes]) -> Path:
    """A disk as KubeVirt makes it of a Secret or a ConfigMap: ISO 9660 with long names."""
    content = folder / label
    content.mkdir()
    for name, data in files.items():
        (content / name).write_bytes(data)
    made = folder / f"{label}.iso"
    command = ["genisoimage", "-quiet", "-joliet", "-rock", "-volid", label, "-output", str(made)]
    subprocess.run([*command, content], check=True)
    return made
