"""The embedded swapper: the source's face as a textured mesh in the target's pose."""
