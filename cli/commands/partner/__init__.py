"""The commands of ``awda partner``: registry, keys, deliveries, quarantine, ledger, links and sheets.

What they share with other commands is in ``cli``. Start with ``group.py``.
"""
