"""Guests watched while Velero backs them up, for the evidence of their disks.

    state.py     an instance as evidence has it
    guest.py     what this process has seen of one guest
    streams.py   the threads that watch a guest: its console, its instance
    observer.py  all guests of one backup: who is watched, for how long, where that is stored

A watch never makes a call of Velero's wait, and never fails one.
"""
