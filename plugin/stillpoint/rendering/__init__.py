"""Manifests of an installation, made from a few answers, with the reason of each choice."""
