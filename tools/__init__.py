"""Tools for maintainers: they generate documentation pages and sample files.

Run each with ``python -m tools.NAME``. Nothing imports this package except tests.
"""
