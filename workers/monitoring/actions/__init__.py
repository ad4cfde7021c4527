"""Actions: each puts its part into a decision and says what it changes. The controller carries the scales."""
