"""Commands that create Secrets, for comments: manifests have no values of theirs."""

import shlex

from stillpoint.rendering.text import comment


def create(program: str, name: str, namespace: str, key: str) -> str:
    """The command that makes a Secret of a file."""
    words = (
        program,
        "create",
        "secret",
        "generic",
        name,
        "-n",
        namespace,
        f"--from-file={key}=FILE",
    )
    return comment(shlex.join(words))


def about_password(program: str, namespace: str, *, moves_data: bool) -> str:
    """Lines on the password of moved data: pkg/repository/keys of Velero v1.18 has a fixed one."""
    if not moves_data:
        return ""
    return f"""\
# Moved data is encrypted with a password that is in Velero's source, unless yours is there before
# the first backup; keep it elsewhere too, without it there is no restore:
#   {create(program, "velero-repo-credentials", namespace, "repository-password")}
"""
