"""Tools for developers: generated pages, stored samples.

Nothing here is part of the running programme. Start with ``docs.py``.
"""
