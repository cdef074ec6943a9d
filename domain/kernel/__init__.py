"""The vocabulary that every rule shares: events, messages, enumerations, policy, working time, places, errors.

Nothing here depends on a case. Start with ``event.py`` and ``vocabulary.py``.
"""
