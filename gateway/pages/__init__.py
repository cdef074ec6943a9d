"""Pages for people without a connected system: a request, its answer, a callback. No scripts, under ten kilobytes.

Partner systems use ``api`` instead; translations are in ``translations``. Start with ``routes.py``.
"""
