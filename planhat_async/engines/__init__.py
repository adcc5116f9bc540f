"""Planhat for engines that move data: sources and destinations of other programs."""
