"""Describers turn images into maps of descriptors; a trained embedding is one of them."""
