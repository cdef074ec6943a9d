"""The ``awda`` command: arguments, output and exit codes.

Services are called, not written, here. Start with ``main.py``, which lists the commands.
"""
