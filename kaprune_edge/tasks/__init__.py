"""Where text and labels come from, and how they are scored."""
