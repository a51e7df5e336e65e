"""What is bundled in a payload, by whom and under which licence: CycloneDX 1.6, and the texts.

Source: the CycloneDX 1.6 JSON schema; `make test` validates what is written here against it.
"""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PathDistribution, distributions
from pathlib import Path

from version import version

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Component:
    """Something that is bundled.

    Attributes:
        purl: package URL, for instance `pkg:pypi/grpcio@1.85.1`.
        licence: an SPDX expression, or what else its packager says.
        texts: the files of the licence; there is one at least.
    """

    name: str
    version: str
    purl: str
    licence: str
    texts: tuple[Path, ...]


def write(output: Path, site: Path, libraries: Iterable[Path]) -> None:
    """Writes `stillpoint.cdx.json` and `licenses/` into the folder `output`.

    Args:
        site: has the distributions that are bundled.
        libraries: files of the system that are bundled.
    """
    components = sorted(
        {*of_python(site), *of_system(libraries), interpreter()}, key=lambda each: each.purl
    )
    (output / "stillpoint.cdx.json").write_text(json.dumps(document(components), indent=1) + "\n")
    write_texts(output / "licenses" / "stillpoint", [ROOT / "LICENSE"])
    for component in components:
        write_texts(output / "licenses" / component.name, component.texts)


def document(components: Iterable[Component]) -> dict[str, object]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    number = version()
    product = Component(
        "stillpoint", number, f"pkg:pypi/stillpoint@{number}", project["license"], ()
    )
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": entry(product, "application")},
        "components": [entry(each, "library") for each in components],
    }


def entry(component: Component, kind: str) -> dict[str, object]:
    is_expression = re.fullmatch(r"[\w.+-]+( (AND|OR|WITH) \(?[\w.+-]+\)?)*", component.licence)
    licence = (
        {"expression": component.licence}
        if is_expression
        else {"license": {"name": component.licence}}
    )
    return {
        "type": kind,
        "bom-ref": component.purl,
        "name": component.name,
        "version": component.version,
        "licenses": [licence],
        "purl": component.purl,
    }


def of_python(site: Path) -> Iterator[Component]:
    for found in distributions(path=[str(site)]):
        licence = found.metadata["License-Expression"] or found.metadata["License"]
        name = re.sub(r"[-_.]+", "-", found.name).lower()
        purl = f"pkg:pypi/{name}@{found.version}"
        yield Component(name, found.version, purl, licence, tuple(licence_files(found)))


def licence_files(found: Distribution) -> list[Path]:
    """Its licence texts.

    Raises:
        FileNotFoundError: it has none, so it must not be passed on.
    """
    assert isinstance(found, PathDistribution)  # noqa: S101 - what `distributions` finds in a folder
    named = re.compile(r"(licen[cs]e|copying|notice)", re.IGNORECASE)
    paths = [found.locate_file(path) for path in found.files or () if named.match(path.name)]
    texts = [Path(str(path)) for path in paths if ".dist-info/" in str(path)]
    if not texts:
        raise FileNotFoundError(f"{found.name}: no text of its licence")
    return texts


def interpreter() -> Component:
    version = ".".join(map(str, sys.version_info[:3]))
    text = Path(sysconfig.get_path("stdlib"), "LICENSE.txt")
    return Component("cpython", version, f"pkg:generic/cpython@{version}", "PSF-2.0", (text,))


def of_system(libraries: Iterable[Path]) -> Iterator[Component]:
    """The packages of the distribution that own these files; libpython may be of none."""
    describe = from_dpkg if shutil.which("dpkg-query") else from_rpm
    for library in libraries:
        if not library.name.startswith("libpython"):
            yield describe(library.resolve())


def from_dpkg(library: Path) -> Component:
    owner = answer("dpkg-query", "--search", f"*/{library.name}").partition(":")[0]
    version = answer("dpkg-query", "--show", "--showformat=${Version}\n", owner).splitlines()[0]
    text = Path("/usr/share/doc", owner, "copyright")
    purl = f"pkg:deb/debian/{owner}@{version}"
    return Component(owner, version, purl, "see the copyright file of the package", (text,))


def from_rpm(library: Path) -> Component:
    query = "%{NAME} %{VERSION}-%{RELEASE} %{LICENSE}\n"
    owner, version, licence = answer("rpm", "-qf", "--qf", query, str(library)).split(" ", 2)
    texts = tuple(sorted(Path("/usr/share/licenses", owner).glob("*")))
    return Component(owner, version, f"pkg:rpm/redhat/{owner}@{version}", licence.strip(), texts)


def answer(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def write_texts(folder: Path, texts: Iterable[Path]) -> None:
    folder.mkdir(parents=True)
    for text in texts:
        shutil.copyfile(text, folder / text.name)
