"""Deployments compared with baselines on a device."""

from kaprune_edge.bench.accuracy import score_deployment
from kaprune_edge.bench.benchmark import bench
from kaprune_edge.bench.comparison import Comparison
from kaprune_edge.bench.report import render

__all__ = ["Comparison", "bench", "render", "score_deployment"]
