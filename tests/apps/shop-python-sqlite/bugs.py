"""Which mistake is planted, if any."""

import os

PLANTED = os.environ.get("BUG", "")


def bug(name):
    return name == PLANTED
