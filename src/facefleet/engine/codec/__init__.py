"""Photos as bytes and as pixels: decoding with limits, colour profiles, encoding."""
