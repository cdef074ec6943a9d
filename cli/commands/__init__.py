"""One file for each group of commands.

A command reads its arguments, calls a service and prints the result; it holds no rules. Start with ``case.py``.
"""
