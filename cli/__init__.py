"""The ``awda`` command line. It reads arguments, calls services of the lower packages and prints; it holds no rules.

Start with ``main.py``, which lists the commands.
"""
