"""The verdict on each virtual machine: would the backup hold it, how consistent, and why not.

    case.py the known facts around a machine
    guest.py     facts about its freeze
    disks.py     facts about the data of its disks
    contents.py  facts about all else that it needs
    reasons.py   one row per reason: code, weight, sentence, remedy, fact
    verdict.py   from the reasons to a verdict and a level

A fact is a function from a case to its subjects: names of disks, of objects, or an empty name for
the machine itself. No subject means that the fact does not hold.
"""
