"""Looking back: replay, history, why, and whether everything agrees. Reads all, decides nothing."""
