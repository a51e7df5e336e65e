"""Reading a folder of manifests."""

import re
import time
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stillpoint.model import item as it
from stillpoint.rehearsal import requests
from stillpoint.rehearsal.errors import UnreadableManifests
from stillpoint.rehearsal.sources import manifests
from stillpoint.rehearsal.sources.yaml_documents import documents

VM = """\
    apiVersion: kubevirt.io/v1
    kind: VirtualMachine
    metadata: {name: db, namespace: shop}
"""


def put(folder: Path, text: str, name: str = "some.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


def refused(folder: Path) -> str:
    with pytest.raises(UnreadableManifests) as caught:
        manifests.read(folder)
    return str(caught.value)


def test_documents_lists_and_json_of_all_folders_are_read(tmp_path: Path) -> None:
    put(tmp_path, f"# a comment\n---\n{dedent(VM)}---\n---\n{dedent(VM).replace('db', 'web')}")
    put(tmp_path, '{"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "s"}}', "a/b.json")
    put(
        tmp_path,
        """\
        apiVersion: v1
        kind: List
        items:
        - {apiVersion: v1, kind: Pod, metadata: {name: one}}
        - {apiVersion: v1, kind: Pod, metadata: {name: two}}
        """,
        "list.yml",
    )
    put(tmp_path, "resources: [some.yaml]", "kustomization.yaml")
    put(tmp_path, "{{ helm }}", ".git/some.yaml")
    put(tmp_path, "not read", "README.md")
    read = manifests.read(tmp_path)
    names = sorted(map(it.name, read.objects))
    assert (names, read.files) == (["db", "one", "s", "two", "web"], 3)


NO_OBJECTS = {
    "base.yaml": "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
    "named.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nmetadata: {name: x}\n"
    ),
    "chart/values.yaml": "image: img.example/jump\nreplicas: 1\n",
    "chart/Chart.yaml": "apiVersion: v2\nname: jump\nversion: 1.0.0\n",
    "patch.yaml": "- {op: replace, path: /spec/runStrategy, value: Halted}\n",
    "kubeconfig.yaml": "apiVersion: v1\nkind: Config\nclusters: []\n",
    "local.yaml": (
        "apiVersion: v1\nkind: ConfigMap\n"
        "metadata: {name: x, annotations: {config.kubernetes.io/local-config: 'true'}}\n"
    ),
    "package.json": '{"name": "jump", "version": "1.0.0"}',
    "list.json": "[1, 2]",
}


@pytest.mark.parametrize("name", NO_OBJECTS)
def test_what_is_no_object_of_the_api_is_named_and_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path, VM, "vm.yaml")
    path = put(tmp_path, NO_OBJECTS[name], name)
    read = manifests.read(tmp_path)
    place = str(path) if name.endswith(".json") else f"{path}:1"
    assert (len(read.objects), read.passed_over) == (1, (place,))
    assert place in requests.of_folder(tmp_path, lambda *_: None).origin


def test_a_document_among_objects_is_passed_over_by_its_line(tmp_path: Path) -> None:
    path = put(tmp_path, f"{dedent(VM)}---\nreplicas: 1\n---\n{dedent(VM).replace('db', 'web')}")
    read = manifests.read(tmp_path)
    assert (len(read.objects), read.passed_over) == (2, (f"{path}:5",))


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\n",
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {generateName: vm-}\n",
        "kind: VirtualMachine\nmetadata: {name: db}\n",
        "apiVersion: kubevirt.io/v1\nmetadata: {name: db}\n",
        "{{ if .Values.vm }}\nkind: VirtualMachine\n{{ end }}\n",
    ],
)
def test_what_may_be_a_machine_is_not_passed_over(tmp_path: Path, text: str) -> None:
    put(tmp_path, VM, "vm.yaml")
    path = put(tmp_path, text, "other.yaml")
    assert refused(tmp_path).startswith(f"{path}:")


def test_entries_of_a_list_of_one_kind_know_what_they_are(tmp_path: Path) -> None:
    put(tmp_path, "{apiVersion: v1, kind: PodList, items: [{metadata: {name: one}}]}")
    (pod,) = manifests.read(tmp_path).objects
    assert (pod["apiVersion"], pod["kind"]) == ("v1", "Pod")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01", "2026-01-01"),
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("190:20:30.15", "190:20:30.15"),
        ("1.9.0", "1.9.0"),
        ("'1.5'", "1.5"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("8191", 8191),
        ("9223372036854775807", 9223372036854775807),
        ("0x1f", 31),
        ("0777", 511),
        ("08", 8.0),
        ("0E0", 0.0),
        ("0x_", "0x_"),
        ("._", "._"),
        ("-1", -1),
        ("yes", True),
        ("false", False),
        ("~", None),
        ("30Gi", "30Gi"),
        ("-", None),
    ],
)
def test_a_value_is_read_as_kubernetes_reads_it(tmp_path: Path, text: str, value: object) -> None:
    if text == "-":
        text = ""
    put(tmp_path, f"{dedent(VM)}spec:\n  field: {text}\n")
    (item,) = manifests.read(tmp_path).objects
    field = item["spec"]["field"]
    assert (field, type(field)) == (value, type(value))


def test_keys_are_texts(tmp_path: Path) -> None:
    put(tmp_path, f"{dedent(VM)}spec: {{2: one, true: two}}\n")
    assert manifests.read(tmp_path).objects[0]["spec"] == {"2": "one", "true": "two"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{a: &one {b: c}, d: *one}", {"a": {"b": "c"}, "d": {"b": "c"}}),
        ("{a: &one x, *one : y}", {"a": "x", "x": "y"}),
        ("{a: &one {b: c, d: e}, f: {<<: *one, b: g}}", {"b": "g", "d": "e"}),
        ("{a: &one {b: c}, d: &two {b: e, f: g}, h: {<<: [*one, *two]}}", {"b": "c", "f": "g"}),
        ("{'<<': x}", {"<<": "x"}),
        ("{a: !!str 1, b: !!int '2', d: =}", {"a": "1", "b": 2, "d": "="}),
        ("!!map {a: !!seq [!!null '']}", {"a": [None]}),
        ("\n  a: |\n    two\n    lines\n  b: 'x\n    y'", {"a": "two\nlines\n", "b": "x y"}),
    ],
)
def test_a_spelling_that_only_yaml_has_is_understood(
    tmp_path: Path, text: str, value: dict[str, object]
) -> None:
    put(tmp_path, f"{dedent(VM)}spec: {text}\n")
    (item,) = manifests.read(tmp_path).objects
    found = item["spec"]
    assert found == value or value in found.values()


BARE = re.compile(r"[-+]?[0-9][0-9_]*([eE][-+]?[0-9]+)?")
"""Numbers to the tools of Kubernetes, some of which PyYAML takes for text and writes bare."""
TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda it: not BARE.fullmatch(it))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.sampled_from([None, True, False]))
def test_what_is_written_as_yaml_is_read_as_it_was(value: object, flow: bool | None) -> None:
    text = yaml.safe_dump({"items": [value], "spec": value}, default_flow_style=flow)
    (document,) = documents(text)
    assert document.value == {"items": [value], "spec": value}
    assert len(document.item_lines) == 1


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{dedent(VM)}spec:\n  - [\n", 6, "no YAML"),
        (f"{dedent(VM)}---\nmetadata: {{name: x}}\n", 5, "no apiVersion"),
        ("\n\napiVersion: v1\nmetadata: {name: x}\n", 3, "object without a kind x: no kind"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: x}\n", 1, "no metadata.name"),
        ("apiVersion: v1\nkind: Pod\nmetadata: [x]\n", 1, "metadata is ['x'], not an object"),
        ("just words\n", 1, "str instead of an object"),
        ("kind: List\nitems:\n- kind: Pod\n- x\n", 3, "no apiVersion"),
        ("kind: List\nitems:\n\n- x\n", 4, "str instead of an object"),
        (f"{dedent(VM)}spec: {{big: 99999999999999999999}}\n", 4, "nothing that JSON can say"),
        (f"{dedent(VM)}spec: !!binary aGVsbG8=\n", 4, "nothing that JSON can say"),
        (f"{dedent(VM)}spec: !Ref x\n", 4, "no YAML"),
        (f"{dedent(VM)}spec: !!set {{a, b}}\n", 4, "no YAML"),
        (f"{dedent(VM)}spec:\n  a: *one\n", 5, "found undefined alias 'one'"),
        (f"{dedent(VM)}spec:\n  <<: one\n", 5, "for merging"),
        (f"{dedent(VM)}spec: {{[a]: one}}\n", 4, "no scalar"),
        (f"{dedent(VM)}---\n{dedent(VM)}", 5, "VirtualMachine shop/db is in"),
        ("{{ .Values.name }}: x\n", 1, "no YAML"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_and_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    path = put(tmp_path, text, "deep/broken.yaml")
    message = refused(tmp_path)
    assert message.startswith(f"{path}:{line}: cannot read the manifests: ")
    assert words in message


def nested(levels: int, begin: str = "[", end: str = "]") -> str:
    return begin * levels + end * levels


def aliases(first: str, again: str) -> str:
    """Eight levels, each of which names the one above nine times."""
    rows = (f"  a{n}: &a{n} {again.replace('*', f'*a{n - 1}')}\n" for n in range(1, 9))
    return f"  a0: &a0 {first}\n{''.join(rows)}"


BY_ALIASES = "aliases make more"
GROWING = {
    "lists of lists": (
        aliases("[x,x,x,x,x,x,x,x,x]", f"[{','.join('*' * 9)}]"),
        BY_ALIASES,
    ),
    "objects of objects": (
        aliases("{a: x}", "{" + ", ".join(f"k{key}: *" for key in range(9)) + "}"),
        BY_ALIASES,
    ),
    "merges of merges": (
        aliases("{a: xxxxxxxxxxxxxxxxxxx}", f"{{<<: [{', '.join('*' * 9)}], b: *}}"),
        BY_ALIASES,
    ),
    "a long text again and again": (
        f"  a: &a {'x' * 10_000}\n  b: [{', '.join(['*a'] * 100)}]\n",
        BY_ALIASES,
    ),
    "an alias of itself": ("  a: &a [*a]\n", "found undefined alias 'a'"),
    "a merge of itself": ("  a: &a {<<: *a}\n", "found undefined alias 'a'"),
    "an alias of a long name": (f"  a: *{'a' * 500_000}\n", "found undefined alias"),
    "a tag of a long name": (f"  a: !{'a' * 500_000} [x]\n", "could not determine"),
    "brackets": (f"  a: {nested(100_000)}\n", "nested deeper than 200 levels"),
    "braces": (f"  a: {nested(1_000, '{a: ', '}')}\n", "nested deeper than 200 levels"),
    "dashes": (f"  a:\n  {'- ' * 300}x\n", "nested deeper than 200 levels"),
    "digits": (f"  a: {'9' * 100_000}\n", "nothing that JSON can say"),
    "hexadecimal digits": (f"  a: 0x{'f' * 100_000}\n", "nothing that JSON can say"),
    "digits of a key": (f"  {'9' * 100_000}: a\n", "nothing that JSON can say"),
    "beyond all bounds": ("  a: 1e999\n", "nothing that JSON can say"),
    "below all bounds": ("  a: -1.0e999\n", "nothing that JSON can say"),
}


@pytest.mark.parametrize(("text", "words"), GROWING.values(), ids=list(GROWING))
def test_what_grows_beyond_bounds_is_one_line_of_error_within_seconds(
    tmp_path: Path, text: str, words: str
) -> None:
    path = put(tmp_path, f"{dedent(VM)}spec:\n{text}")
    began = time.process_time()
    message = refused(tmp_path)
    assert time.process_time() - began < 5
    assert re.match(rf"{path}:\d+: cannot read the manifests: ", message)
    assert words in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "value",
    [
        nested(1_000),
        nested(300, '{"a":[', "]}").replace("[]", "[1]"),
        "9" * 100_000,
        "1e999",
        nested(100_000),
    ],
    ids=["1,000", "300", "digits", "beyond all bounds", "100,000"],
)
def test_json_that_grows_is_one_line_of_error(tmp_path: Path, value: str) -> None:
    head = '"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}'
    path = put(tmp_path, f'{{{head}, "d": {value}}}', "a.json")
    message = refused(tmp_path)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 400


def test_aliases_within_reason_and_depth_within_reason_are_read(tmp_path: Path) -> None:
    many = f"  a: &a {{b: [c, d]}}\n  e: [{', '.join(['*a'] * 2_000)}]\n  f: {nested(190)}\n"
    put(tmp_path, f"{dedent(VM)}spec:\n{many}")
    (item,) = manifests.read(tmp_path).objects
    assert item["spec"]["e"] == [{"b": ["c", "d"]}] * 2_000
    (tmp_path / "some.yaml").unlink()
    head = '"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}'
    put(tmp_path, f'{{{head}, "d": {nested(230)}}}', "a.json")
    assert it.name(manifests.read(tmp_path).objects[0]) == "x"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('{"kind": "List", "items": [{"kind": "Pod"}]}', ": items[0]", "no apiVersion"),
        ('{"apiVersion": "v1", "kind": "Pod"}', "", "no metadata.name"),
        ('{"apiVersion": "v1",\n"kind" "Pod"}', ":2", "no YAML"),
    ],
)
def test_what_json_lacks_is_named_with_its_place(
    tmp_path: Path, text: str, place: str, words: str
) -> None:
    path = put(tmp_path, text, "dump.json")
    message = refused(tmp_path)
    assert message.startswith(f"{path}{place}: cannot read the manifests: ")
    assert words in message


def test_json_that_only_yaml_reads_is_read(tmp_path: Path) -> None:
    put(tmp_path, '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"},}', "a.json")
    assert [it.name(item) for item in manifests.read(tmp_path).objects] == ["one"]


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "some.yaml").write_bytes(b"\xff\xfe\x00")
    assert "some.yaml: cannot read the manifests: 'utf-8'" in refused(tmp_path)


def test_a_folder_without_objects_is_no_cluster(tmp_path: Path) -> None:
    put(tmp_path, "---\n# nothing\n")
    assert "no objects in 1 file" in refused(tmp_path)
    assert "there is no such folder" in refused(tmp_path / "nowhere")
