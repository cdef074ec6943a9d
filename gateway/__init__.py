"""The HTTP server for staff and partners: API, partner pages, and the services behind them.

A receipt is given only for a committed inbox row; rules are in ``domain``. Start with ``app.py``, then ``api``.
"""
