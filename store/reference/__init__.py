"""Reference data that changes while Awda runs: announced holidays, return advisories, the directory of today.

Start with ``directory.py``.
"""
