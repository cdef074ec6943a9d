"""The commands of ``awda partner``: registry, keys, deliveries, quarantine, ledger, links and sheets.

Start with ``group.py``.
"""
