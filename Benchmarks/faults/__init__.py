"""Proofs by fault: everything is killed while it works, and afterwards it is counted what was promised."""
