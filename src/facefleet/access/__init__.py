"""Who asks, and what they may do: principals, roles, tokens, API keys."""
