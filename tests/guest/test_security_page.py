"""docs/guest/security.md says nothing that no test proves: each claim of it, and by which tests.

A claim is a row of a table, or a sentence of what follows; it is known by its first words.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/guest/security.md"
UNIT = ROOT / "packaging/guest/stillpoint-guest.service"

IMPOSTORS = "guest/test_impostors.py::"
POSTGRESQL = "guest/test_postgresql.py::"
MYSQL = "guest/test_mysql_client.py::"
LAB = "guest/test_lab.py::"
SYSTEMD = "guest/test_systemd.py::"
SOCKETS = "guest/unit/test_peer.py::ASocketIsUsedOnlyIfTheRightOneListens::"
PORTS = "guest/unit/test_peer.py::APortIsUsedOnlyIfTheRightOneListens::"
PROGRAMS = "guest/unit/test_command.py::ProgramsEndInTime::"
CYCLE = "guest/unit/test_holder.py::OneCycle::"
SIDE_BY_SIDE = "guest/unit/test_release.py::SideBySide::"
LOST = "guest/unit/test_lost.py::"
TERMINAL = "guest/unit/test_terminal.py::NamesOfOthers::"
TRUST = "guest/unit/test_trust.py::WhatRootReads::"
UNDOING = "guest/unit/test_recovery.py::SideBySide::"
ON_COPY = "guest/unit/test_on_copy.py::AStepThatFails::"
CONSOLE = "guest/unit/test_console.py::"
LOG = "guest/unit/test_log.py::LinesAreKeptInMemory::"
CONFIGURATION = "guest/unit/test_config.py::ConfigurationIsStrict::"
SELINUX = "machine/test_selinux.py::"

WHO = {
    "local user without rights": (
        LAB + "test_the_campaign_leaves_nothing_behind",
        IMPOSTORS + "test_what_nobody_calls_a_server_is_named_and_nobody_speaks_to_it",
        IMPOSTORS + "test_a_setuid_program_of_roots_called_postgres_is_a_strangers",
        TERMINAL + "test_they_move_nothing_in_status_and_check",
        TRUST + "test_is_not_reached_by_somebody_elses_link",
    ),
    "role of a database that is no superuser": (
        POSTGRESQL + "test_the_name_of_a_database_is_a_name",
        POSTGRESQL + "test_nobodys_function_or_operator_is_called",
        POSTGRESQL + "test_settings_of_a_database_do_not_hide_it",
        POSTGRESQL + "test_whose_index_is_locked_delays_nobody_for_long",
        POSTGRESQL + "test_a_password_is_for_one_role_at_one_place",
    ),
    "service account that was taken over": (
        IMPOSTORS + "test_an_account_of_the_system_that_was_taken_over_costs_its_own_time_alone",
        IMPOSTORS + "test_a_service_that_lets_us_in_and_refuses_ends_no_freeze",
        CYCLE + "test_what_was_found_of_an_account_leaves_time_for_all_others",
        IMPOSTORS + "test_a_service_that_writes_nonsense_is_one_warning",
        MYSQL + "test_a_client_reads_and_runs_nothing_for_its_server",
        "guest/test_answers.py::test_an_answer_that_is_none_is_an_error_of_ours_in_time",
        "guest/test_side_by_side.py::test_a_server_that_stands_still_keeps_no_other_locked",
        "guest/test_driver_contract.py::test_an_application_that_hangs_costs_bounded_time",
    ),
    "root of the guest": (
        "unit/resources/test_guest_says.py::test_what_a_guest_says_of_its_system_is_one_word",
        "unit/resources/test_guest_says.py::test_what_a_guest_says_is_of_that_guest_alone",
    ),
    "the cluster, towards the guest": (
        LAB + "test_10_a_list_that_matches_nothing_is_ended_by_the_watchdog",
        CYCLE + "test_questions_that_make_no_sense_end_nobody",
    ),
}
FOLLOWS = {
    "Only services of the system are acted on": (
        "guest/test_ordinary_servers.py::test_all_of_them_are_found_by_the_same_names_each_time",
        "guest/test_services.py::test_what_runs_in_somebodys_session_is_no_service",
    ),
    "A process counts as a database of this guest if": (
        IMPOSTORS + "test_an_executable_that_its_own_account_can_change_is_not_trusted",
        IMPOSTORS + "test_a_container_of_a_user_whom_the_guest_does_not_know",
        "guest/test_services.py::test_a_unit_of_an_account_of_the_system",
        "guest/test_services.py::test_a_unit_whose_user_has_a_number_of_a_person",
        "guest/test_services.py::test_the_units_file_is_not_what_a_process_says_of_itself",
        "guest/unit/test_service.py::AStranger::test_has_no_executable_of_roots",
        "guest/unit/test_service.py::AStranger::test_is_who_works_in_a_folder_of_somebody_else",
    ),
    "Everything else that looks like one is named": (
        IMPOSTORS + "test_what_nobody_calls_a_server_is_named_and_nobody_speaks_to_it",
        MYSQL + "test_no_client_is_started_for_a_strangers_server",
        "guest/test_mongodb.py::test_no_shell_is_started_for_a_strangers_server",
        "guest/test_answers.py::test_a_password_of_redis_is_told_to_a_service_and_to_no_stranger",
        LAB + "test_the_campaign_leaves_nothing_behind",
    ),
    "The verdict is then `filesystem`": (IMPOSTORS + "test_a_thousand_of_them_are_one_warning",),
    "So anybody can lower a verdict": (
        IMPOSTORS + "test_without_them_the_verdict_is_application",
        LAB + "test_the_campaign_leaves_nothing_behind",
    ),
    "A section of root's configuration vouches": (
        IMPOSTORS + "test_an_executable_that_its_own_account_can_change_is_not_trusted",
        IMPOSTORS + "test_a_server_without_a_driver_is_named_until_the_configuration_speaks_of_it",
    ),
    "Who listens is asked of the kernel": (
        SOCKETS + "test_not_another_process_of_the_same_user",
        SOCKETS + "test_not_somebody_else_behind_a_socket_that_was_given_to_the_service",
        PORTS + "test_not_somebody_else",
        POSTGRESQL + "test_who_listens_in_its_place_hears_nothing",
        MYSQL + "test_a_password_by_tcp_is_told_by_nobody_else",
    ),
    "A path counts only as a socket": (
        SOCKETS + "test_not_by_a_link_of_somebody_elses",
        SOCKETS + "test_not_where_somebody_else_can_put_another_one",
        SOCKETS + "test_what_is_no_socket_is_not_opened_and_what_is_not_there_is_said",
    ),
    "Clients run with a fixed environment": (
        PROGRAMS + "test_nothing_of_our_environment_is_inherited",
        POSTGRESQL + "test_no_client_runs_as_root_for_what_was_found",
        MYSQL + "test_a_found_mariadb_is_asked_as_the_user_that_runs_it",
        MYSQL + "test_where_that_user_is_not_enough_it_is_root_without_a_capability",
        MYSQL + "test_a_file_that_a_server_asks_for_is_not_sent",
        "guest/test_mongodb.py::test_its_shell_is_nobody_of_this_machine",
    ),
    "What others named": (
        POSTGRESQL + "test_the_name_of_a_database_is_a_name",
        POSTGRESQL + "test_a_name_in_another_encoding_is_a_name",
        "guest/test_mongodb.py::test_what_is_no_address_is_refused_as_it_is_read",
    ),
    "What a server answers is parsed": (
        POSTGRESQL + "test_an_answer_that_is_none_is_an_error",
        MYSQL + "test_an_answer_that_is_none_is_an_error_of_ours",
        "guest/test_mongodb.py::test_an_answer_that_is_none_is_an_error_of_ours",
        "guest/test_answers.py::test_an_answer_that_is_none_is_an_error_of_ours_in_time",
    ),
    "What a client starts ends with it": (
        PROGRAMS + "test_nothing_outlives_a_program_that_ends",
        PROGRAMS + "test_nothing_outlives_a_program_that_is_killed",
        PROGRAMS + "test_the_kernel_spares_us_and_not_what_we_start",
    ),
    "Everything that is read from others has a bound": (
        IMPOSTORS + "test_a_service_that_writes_nonsense_is_one_warning",
        PROGRAMS + "test_an_answer_without_end_ends_the_session",
        "guest/test_answers.py::test_an_answer_that_is_none_is_an_error_of_ours_in_time",
        "guest/unit/test_capacity.py::Room::test_what_is_too_much_is_named_and_counted",
        "guest/unit/test_probes.py::ALookAtAProcess::test_that_hangs_keeps_no_other_from_being_done",
        UNDOING + "test_of_very_many_those_that_were_not_tried_come_first",
        LOST + "ClientsThatGoAway::test_a_question_without_end_is_not_kept",
    ),
    "Applications are released side by side": (
        SIDE_BY_SIDE + "test_five_that_take_their_time_take_it_together",
        SIDE_BY_SIDE + "test_the_bound_is_one_for_all_groups",
    ),
    "One that hangs keeps nobody else": (
        SIDE_BY_SIDE + "test_those_that_never_come_back_keep_nobody_waiting",
        SIDE_BY_SIDE + "test_one_that_hangs_delays_the_next_in_order_by_its_share",
        "guest/test_side_by_side.py::test_a_server_that_stands_still_keeps_no_other_locked",
    ),
    "A lost hold is reported": (
        LOST + "ARunThatTakesNothing::test_the_watchdogs_release_is_told",
        LOST + "ARunThatTakesNothing::test_nothing_is_held_that_cannot_be_noted",
        LOST + "Marks::test_one_that_was_removed_is_a_hold_that_was_lost",
        LAB + "test_7_a_holder_that_is_killed_loses_the_hold_and_the_thaw_says_so",
    ),
    "Text that leaves the agent": (
        TERMINAL + "test_they_move_nothing_in_status_and_check",
        TERMINAL + "test_the_agent_is_told_one_line",
        LOG + "test_a_line_of_others_is_short_and_can_be_printed",
        "guest/unit/test_capacity.py::Records::test_what_others_say_in_it_is_printable_and_bounded",
        CONSOLE + "ALine::test_is_ascii_and_has_its_marker_once_whatever_applications_are_called",
    ),
    "The serial console is written to and never read": (
        CONSOLE + "AConsoleThatTakesNothing::test_because_its_reader_never_reads",
        CONSOLE + "AConsoleThatTakesNothing::test_because_it_goes_in_the_middle",
        CONSOLE + "OnlyATerminal::test_not_a_link_to_one",
        CONSOLE + "OnlyATerminal::test_not_by_somebody_elses_folder",
        LAB + "test_a_console_that_nobody_reads_holds_nobody_up",
    ),
    "What root reads is root's": (
        TRUST + "test_is_not_reached_by_somebody_elses_link",
        TRUST + "test_is_not_reached_through_somebody_elses_folder",
        CONFIGURATION + "test_what_belongs_to_somebody_else_is_not_read",
        CONFIGURATION + "test_a_secret_is_read_from_a_file_of_root_alone",
        "guest/test_scripts.py::test_a_script_that_others_can_write_is_not_called",
        ON_COPY + "test_because_others_can_write_it_is_not_run",
        ON_COPY + "test_because_others_can_write_to_their_folder_none_is_run",
        "guest/test_answers.py::test_certificates_of_etcd_are_roots",
        MYSQL + "test_an_option_file_is_roots_and_the_only_one",
    ),
}
CONFINED = (
    SYSTEMD + "test_the_holder_has_no_rights_that_it_does_not_need",
    SYSTEMD + "test_confined_by_its_unit_the_holder_brings_databases_to_rest",
)
LEFT = ("guest/test_security_page.py::test_the_unit_has_what_the_page_says_and_no_more",)
CONFINEMENT = {
    "`systemctl cat stillpoint-guest` has the lines": CONFINED,
    "A fault, or an answer without end, ends with the unit's own bounds": (
        SYSTEMD + "test_its_bounds_are_what_systemd_knows_and_can_be_raised",
    ),
    "A script that takes too much memory is ended alone": (
        "machine/test_held.py::test_what_takes_too_much_memory_is_ended_alone",
    ),
    "new privileges, setuid files": CONFINED,
    "loading modules": CONFINED,
    "address families": CONFINED,
    "`ProtectSystem`": LEFT,
    "`PrivateNetwork`": LEFT,
    "`RestrictNamespaces`": (*LEFT, SYSTEMD + "test_a_container_of_podman_is_paused"),
    "`MemoryDenyWriteExecute`": LEFT,
    "`UMask`": LEFT,
    "Without the package's unit": (
        SYSTEMD + "test_a_transient_holder_is_confined_as_the_unit_of_the_package",
        SYSTEMD + "test_3_the_holder_outlives_the_unit_of_the_agent_that_started_it",
    ),
    "Without systemd there are none": (LAB + "test_a_freeze_and_its_thaw_by_the_real_agent",),
    "On Red Hat's systems": (
        SELINUX + "test_it_lets_the_agent_talk_to_the_holder_and_nothing_else",
        SELINUX + "test_systemd_starts_the_holder_in_a_domain_of_its_own",
        SELINUX + "test_the_holder_may_do_its_work",
    ),
}


@pytest.mark.parametrize(
    ("heading", "proofs"),
    [("Who may do what", WHO), ("What follows", FOLLOWS), ("The unit", CONFINEMENT)],
)
def test_each_claim_has_its_tests(heading: str, proofs: dict[str, Sequence[str]]) -> None:
    said = claims(heading)
    assert [claim for claim in said if not any(map(claim.startswith, proofs))] == []
    assert [proof for proof in proofs if sum(one.startswith(proof) for one in said) != 1] == []


def test_the_tests_are_there() -> None:
    wanted = {
        f"tests/{test}"
        for proofs in (WHO, FOLLOWS, CONFINEMENT)
        for ids in proofs.values()
        for test in ids
    }
    files = sorted({test.partition("::")[0] for test in wanted})
    words = (sys.executable, "-m", "pytest", "--collect-only", "-qm", "", *files)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    collected = {line.partition("[")[0] for line in done.stdout.splitlines()}
    assert wanted - collected == set(), done.stdout[-2000:]


def test_the_unit_has_what_the_page_says_and_no_more() -> None:
    unit = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line[1:])
    left = re.findall(r"`([A-Z]\w+)(…?)`", "".join(rows("The unit", "| left, on purpose")))
    assert len(left) > len("a dozen")
    for option, more in left:
        if option == "SystemCallFilter":  # it is there, without what scripts need
            assert "@mount" not in unit[option]
        else:
            assert not any(key.startswith(option) if more else key == option for key in unit)
    assert unit["NoNewPrivileges"] == "yes"
    assert {"MemoryMax", "TasksMax", "RestrictAddressFamilies"} <= unit.keys()


def claims(heading: str) -> Sequence[str]:
    """Rows by their first cell, and the sentences of the rest, without marks of emphasis."""
    text = section(heading)
    first = [line.strip("| ").partition(" | ")[0] for line in rows(heading)]
    prose = "\n".join("" if line.startswith("|") else line for line in text.splitlines())
    found = []
    for paragraph in re.split(r"\n\n|\n(?=- )", prose):
        plain = " ".join(paragraph.removeprefix("- ").replace("*", "").split())
        found += re.split(r"(?<=\.) (?=[A-Z])", plain) if plain else []
    return [*first, *found]


def rows(heading: str, head: str = "|") -> Sequence[str]:
    """Of every table in a section, or of the one that begins so; without its head."""
    blocks = [block.splitlines() for block in section(heading).split("\n\n")]
    return [row for block in blocks if block[0].startswith(head) for row in block[2:]]


def section(heading: str) -> str:
    return PAGE.read_text().partition(f"## {heading}\n\n")[2].partition("\n## ")[0].strip()
