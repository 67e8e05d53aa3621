"""Describers that come along, a module each. A new one is a new file here, and nothing else.

A module has ``TITLE``, to read, and ``make_describer``, which returns a function from images
``[B,3,S,S]`` uint8 to maps ``[B,D,H,H]``. It may have ``PACKAGES``, distributions beyond the
project's own dependencies, which ``make_describer`` alone imports, ``WEIGHTS``, which says what
file of weights it takes, and ``SLOW``, where the quick study should leave it out.
"""
