"""Reference data that changes while Awda runs: announced holidays, return advisories, the directory of partners.

Data of one case does not belong here. Start with ``directory.py``.
"""
