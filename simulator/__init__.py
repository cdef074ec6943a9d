"""The simulator: synthetic people, simulated partners and simulated staff, for demonstrations and tests.

Staff and partners use the HTTP API only, except that the demonstration itself starts the servers and moves the
programme clock. Production code never imports this package. Start with ``demo.py``.
"""
