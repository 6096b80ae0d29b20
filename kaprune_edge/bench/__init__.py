"""Measuring deployments against baselines."""
