"""Findings by area: a module each, with its facts and, at its end, its rows."""
