"""Lets `python -m kaprune_edge_cli` run the command line."""

from .app import main

main()
