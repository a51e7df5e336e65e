"""Places for backups: credentials, buckets, availability, the default."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations

from stillpoint.check.areas import running
from stillpoint.check.case import Case, Installation, Location, MissingObjects
from stillpoint.check.finding import Area, Row
from stillpoint.check.found import Found, NotKnown
from stillpoint.model import duration
from stillpoint.model.weight import Weight
from stillpoint.resources.installation import data_protection_application as dpa
from stillpoint.resources.installation import secret, storage_location
from stillpoint.velero import server

Facts = Iterator[Found | NotKnown]

_OF_PROVIDER = {
    "aws": ("aws", "legacy-aws", "velero-plugin-for-aws", "velero-plugin-for-legacy-aws"),
    "gcp": ("gcp", "velero-plugin-for-gcp"),
    "azure": ("azure", "velero-plugin-for-microsoft-azure"),
}
"""Default plugins of OADP, and names of containers and images, that serve a provider."""

_LEAST_AGE = timedelta(minutes=10)
_MISSED = 5
"""Validations that may be missed before a location counts as unwatched."""


def _each(case: Case) -> Iterator[tuple[Installation, Location]]:
    """Every location.

    Raises:
        MissingObjects: after those that are known.
    """
    for one in case.installations:
        for location in one.locations:
            yield one, location
    if case.installations:
        case.all(storage_location.RESOURCE)


def about(location: Location, text: str = "") -> Found:
    """Something about a location."""
    return Found.of(f"location {location.title}{text and ': '}{text}", **location.names)


def _none(case: Case) -> Facts:
    for one in case.installations:
        if one.locations or any(map(dpa.has_no_default_location, one.applications)):
            continue
        case.all(storage_location.RESOURCE)
        yield Found.of(f"namespace {one.namespace}", namespace=one.namespace)


def _unavailable(case: Case) -> Facts:
    for _, location in _each(case):
        if storage_location.phase(location.item) == "Unavailable":
            yield about(location, storage_location.message(location.item) or "no reason given")


def _not_validated(case: Case) -> Facts:
    for one, location in _each(case):
        if storage_location.validated(location.item) or not _frequency(one, location):
            continue
        if location.has_status:
            yield about(location)
        else:
            yield NotKnown(f"location {location.title}: whether its store answers")


def _frequency(one: Installation, location: Location) -> timedelta:
    """Time between two validations; zero for none."""
    of_location = storage_location.frequency(location.item)
    if of_location is not None:
        return of_location
    flag = one.server and server.flag(one.server, "store-validation-frequency")
    of_server = duration.parse(flag) if flag else None
    return storage_location.DEFAULT_FREQUENCY if of_server is None else of_server


def _old(case: Case) -> Facts:
    for one, location in _each(case):
        validated, frequency = storage_location.validated(location.item), _frequency(one, location)
        if not (validated and frequency):
            continue
        if case.now is None:
            yield NotKnown(f"location {location.title}: how old its last validation is")
        elif case.now - validated > max(_LEAST_AGE, frequency * _MISSED):
            minutes = round((case.now - validated).total_seconds() / 60)
            yield about(location, f"last validated {minutes} minutes ago")


def _never_validated(case: Case) -> Facts:
    for one, location in _each(case):
        if not _frequency(one, location):
            yield about(location)


def _read_only(case: Case) -> Facts:
    for _, location in _each(case):
        if storage_location.is_read_only(location.item):
            is_default = storage_location.is_default(location.item)
            yield about(location, "the default one" if is_default else "")


def _no_default(case: Case) -> Facts:
    for one in case.installations:
        is_meant = any(map(dpa.has_no_default_location, one.applications))
        case.all(storage_location.RESOURCE)
        items = [location.item for location in one.locations]
        if not items or is_meant or any(map(storage_location.is_default, items)):
            continue
        names = {location.names["name"] for location in one.locations}
        if _by_flag(one) not in names:
            yield Found.of(f"namespace {one.namespace}", namespace=one.namespace)


def _by_flag(one: Installation) -> str:
    """The name of the location that the server makes the default one when it starts."""
    flag = one.server and server.flag(one.server, "default-backup-storage-location")
    return flag or "default"


def _several_defaults(case: Case) -> Facts:
    for one in case.installations:
        found = [one_ for one_ in one.locations if storage_location.is_default(one_.item)]
        if len(found) > 1:
            names = ", ".join(location.names["name"] for location in found)
            yield Found.of(f"namespace {one.namespace}: {names}", namespace=one.namespace)


def _no_bucket(case: Case) -> Facts:
    for _, location in _each(case):
        if not storage_location.bucket(location.item):
            yield about(location)


def _shared(case: Case) -> Facts:
    for (_, first), (_, second) in combinations(_each(case), 2):
        if _store(first) == _store(second) and storage_location.bucket(first.item):
            folders = sorted(storage_location.prefix(one.item) for one in (first, second))
            shorter, longer = (f"{folder}/" if folder else "" for folder in folders)
            if longer.startswith(shorter):
                yield about(second, f"the same folder as {first.title}, or one is in the other")


def _store(location: Location) -> tuple[str, ...]:
    configuration = storage_location.configuration(location.item)
    place = (configuration.get(key, "") for key in ("s3Url", "storageAccount"))
    return (
        storage_location.provider(location.item),
        storage_location.bucket(location.item),
        *place,
    )


def _no_plugin(case: Case) -> Facts:
    for one, location in _each(case):
        provider = storage_location.provider(location.item)
        found = running.plugins(one)
        if not (one.server or one.applications):
            yield NotKnown(f"the plugins of Velero in {one.namespace}")
            continue
        names = {name for image in found for name in (image.container, image.repository)}
        if provider in _OF_PROVIDER:
            if not any(one_ in name for one_ in _OF_PROVIDER[provider] for name in names):
                yield about(location, f"provider {provider}")
        elif not any(provider in name for name in names):
            yield NotKnown(f"location {location.title}: which plugin serves provider {provider}")


def _no_secret(case: Case) -> Facts:
    for _, location, key in _keys(case):
        try:
            found = case.secret(location.names["namespace"], key.secret)
        except MissingObjects as missing:
            yield missing.open
            continue
        if found is None:
            names = {**location.names, "name": key.secret, "key": key.key}
            yield Found.of(f"location {location.title}: secret {key.secret}", **names)


def _no_key(case: Case) -> Facts:
    for _, location, key in _keys(case):
        try:
            found = case.secret(location.names["namespace"], key.secret)
        except MissingObjects as missing:
            yield missing.open
            continue
        names = secret.keys(found) if found else frozenset({key.key})
        title = f"location {location.title}: secret {key.secret}"
        if names is None:
            yield NotKnown(f"{title}: which keys it has")
        elif key.key not in names:
            there = ", ".join(sorted(names)) or "none"
            fields = {**location.names, "name": key.secret, "key": key.key}
            yield Found.of(f"{title} has no key {key.key}, there is: {there}", **fields)


def _keys(case: Case) -> Iterator[tuple[Installation, Location, storage_location.Key]]:
    """Secrets that locations name; and those that OADP and the provider's plugin default to."""
    for one, location in _each(case):
        yield from ((one, location, key) for key in named_keys(one, location))


def named_keys(one: Installation, location: Location) -> Iterator[storage_location.Key]:
    """The keys that a location is read with, by its own fields or by OADP's defaults."""
    yield from storage_location.keys(location.item)
    has_own = storage_location.has_own_credential(location.item)
    is_without = any(map(dpa.needs_no_secret, one.applications))
    default = dpa.DEFAULT_SECRETS.get(storage_location.provider(location.item))
    if default and one.applications and not has_own and not is_without:
        yield storage_location.Key(default, dpa.DEFAULT_KEY)


def named_secrets(case: Case) -> list[tuple[str, str]]:
    """Namespace and name of each Secret that a location needs."""
    named = {
        (one.namespace, key.secret)
        for one in case.installations
        for location in one.locations
        for key in named_keys(one, location)
        if key.secret
    }
    return sorted(named)


def _configuration(case: Case) -> Facts:
    for _, location in _each(case):
        if missing := list(storage_location.missing_settings(location.item)):
            yield about(location, ", ".join(missing))


def _tls_off(case: Case) -> Facts:
    for _, location in _each(case):
        settings = storage_location.configuration(location.item)
        if settings.get("insecureSkipTLSVerify") == "true":
            yield about(location)


def _two_authorities(case: Case) -> Facts:
    for _, location in _each(case):
        if storage_location.has_two_authorities(location.item):
            yield about(location)


# fmt: off
AREA = Area("locations", "Places for backups", (
    Row("no-location", Weight.BLOCKS,
        "there is no BackupStorageLocation",
        cause="Velero has nowhere to store a backup",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE",
        remedy="velero backup-location create -n {namespace} default --default --provider PROVIDER "
               "--bucket BUCKET --prefix PREFIX; with OADP spec.backupLocations",
        fact=_none),
    Row("location-unavailable", Weight.BLOCKS,
        "Velero cannot use a location",
        cause="its last validation failed: no backup is stored there, none is restored from there",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE",
        remedy="kubectl describe backupstoragelocation -n {namespace} {name}", fact=_unavailable),
    Row("location-not-validated", Weight.BLOCKS,
        "Velero has not said whether it can use a location",
        cause="whether the store answers is Velero's to say; nothing here connects to it",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE",
        remedy="wait a minute, then check again; kubectl logs -n {namespace} deployment/velero",
        fact=_not_validated),
    Row("location-validation-old", Weight.DEGRADES,
        "a location was last validated long ago",
        cause="Velero validates each minute; what its status says is of then, so Velero may not "
              "run, or hang",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE",
        remedy="kubectl logs -n {namespace} deployment/velero", fact=_old),
    Row("location-validation-off", Weight.NOTE,
        "a location is never validated (validationFrequency 0)",
        cause="that its store does not answer is found by the next backup, which fails",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE NAME -o yaml",
        remedy="kubectl patch backupstoragelocation -n {namespace} {name} --type=merge "
               "-p='{{\"spec\":{{\"validationFrequency\":\"1m\"}}}}'", fact=_never_validated),
    Row("location-read-only", Weight.DEGRADES,
        "a location is read-only",
        cause="Velero stores no backup there",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE NAME "
                "-o jsonpath='{.spec.accessMode}'",
        remedy="kubectl patch backupstoragelocation -n {namespace} {name} --type=merge "
               "-p='{{\"spec\":{{\"accessMode\":\"ReadWrite\"}}}}'", fact=_read_only),
    Row("no-default-location", Weight.DEGRADES,
        "no location is the default one",
        cause="a Backup or Schedule that names no location fails",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE",
        remedy="velero backup-location set -n {namespace} NAME --default", fact=_no_default),
    Row("several-default-locations", Weight.DEGRADES,
        "several locations are the default one",
        cause="Velero keeps the newest and changes the others; OADP refuses that",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE",
        remedy="leave default: true at one of them", fact=_several_defaults),
    Row("location-without-bucket", Weight.BLOCKS,
        "a location names no bucket",
        cause="there is no place to store a backup in",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE NAME -o yaml",
        remedy="set spec.objectStorage.bucket of the location", fact=_no_bucket),
    Row("location-shares-folder", Weight.DEGRADES,
        "two locations share a folder of a bucket",
        cause="each Velero takes what is in its folder for its own backups, deletes what has "
              "expired, and refuses a folder with others in it",
        by_hand="kubectl get backupstoragelocations -A -o yaml | grep -A2 objectStorage",
        remedy="give each location a spec.objectStorage.prefix of its own, none inside another",
        fact=_shared),
    Row("provider-plugin-missing", Weight.BLOCKS,
        "Velero has no plugin for the provider of a location",
        cause="the location never becomes available",
        by_hand="kubectl get deployment -n NAMESPACE velero "
                "-o jsonpath='{.spec.template.spec.initContainers[*].image}'",
        remedy="velero plugin add -n {namespace} IMAGE of the provider; with OADP "
               "spec.configuration.velero.defaultPlugins", fact=_no_plugin),
    Row("location-secret-missing", Weight.BLOCKS,
        "the Secret of a location does not exist",
        cause="Velero has no credentials, or no certificate, for the store",
        by_hand="kubectl get secret -n NAMESPACE",
        remedy="kubectl create secret generic -n {namespace} {name} --from-file={key}=FILE",
        fact=_no_secret),
    Row("location-key-missing", Weight.BLOCKS,
        "the Secret of a location lacks the key that the location names",
        cause="Velero has no credentials, or no certificate, for the store",
        by_hand="kubectl describe secret -n NAMESPACE NAME",
        remedy="kubectl create secret generic -n {namespace} {name} --from-file={key}=FILE "
               "--dry-run=client -o yaml | kubectl apply -f -", fact=_no_key),
    Row("location-settings-missing", Weight.BLOCKS,
        "a location lacks settings of its provider",
        cause="the provider's plugin, or OADP, refuses the location without them",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE NAME "
                "-o jsonpath='{.spec.config}'",
        remedy="set them in spec.config of the location; with OADP in spec.backupLocations",
        fact=_configuration),
    Row("location-tls-unverified", Weight.DEGRADES,
        "the certificate of a store is not verified (insecureSkipTLSVerify)",
        cause="whoever is on the way can read and change backups, credentials included",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE NAME "
                "-o jsonpath='{.spec.config}'",
        remedy="set spec.objectStorage.caCert of the location and take insecureSkipTLSVerify out",
        fact=_tls_off),
    Row("location-with-two-authorities", Weight.BLOCKS,
        "a location has both caCert and caCertRef",
        cause="Velero refuses that",
        by_hand="kubectl get backupstoragelocations -n NAMESPACE NAME -o yaml",
        remedy="take one of the two out", fact=_two_authorities),
))
# fmt: on
