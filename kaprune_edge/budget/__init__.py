"""How much of each matrix goes, where not the same share of all."""
