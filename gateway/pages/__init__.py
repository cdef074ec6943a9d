"""Pages for people who have no system of ours: one request, one answer, one call. No script, under ten kilobytes."""
