"""One file for each group of commands.

A command reads its arguments, calls a service and prints; it decides nothing. Start with ``case.py``.
"""
