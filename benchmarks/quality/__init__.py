"""Sets of pictures built from the sample photos by seed, and the figures that the engine reaches on them."""
