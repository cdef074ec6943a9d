"""Order, waiting and deadlines: nothing else."""
