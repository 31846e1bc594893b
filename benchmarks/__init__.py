"""Paired benchmarks: what Milepost costs, as a ratio to the floor and beside its peers, in one run."""
